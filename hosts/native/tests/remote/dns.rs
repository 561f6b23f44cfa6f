//! A DNS server that knows a few names.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// Names, without a dot at the end, and what they have.
type Zone = Arc<Mutex<BTreeMap<String, Vec<RData>>>>;

pub struct Dns {
    pub address: SocketAddr,
    zone: Zone,
}

impl Dns {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, zone) = (socket.local_addr().unwrap(), Zone::default());
        tokio::spawn(serve(socket, Arc::clone(&zone)));
        Self { address, zone }
    }

    pub fn host(&self, name: &str, address: IpAddr) {
        self.add(name, RData::from(address));
    }

    pub fn srv(&self, name: &str, priority: u16, port: u16, target: &str) {
        let target = Name::from_ascii(target).unwrap();
        self.add(name, RData::SRV(SRV::new(priority, 0, port, target)));
    }

    /// From now on questions about this name fail.
    pub fn break_down(&self, name: &str) {
        self.zone
            .lock()
            .unwrap()
            .insert(name.to_owned(), vec![RData::NULL(Default::default())]);
    }

    fn add(&self, name: &str, data: RData) {
        self.zone
            .lock()
            .unwrap()
            .entry(name.to_owned())
            .or_default()
            .push(data);
    }
}

async fn serve(socket: UdpSocket, zone: Zone) {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let answer = answer(&question, &zone).to_vec().unwrap();
        socket.send_to(&answer, from).await.unwrap();
    }
}

fn answer(question: &Message, zone: &Zone) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_queries(question.queries.clone());
    let query = &question.queries[0];
    let name = query.name().to_ascii().to_ascii_lowercase();
    let Some(all) = zone.lock().unwrap().get(name.trim_end_matches('.')).cloned() else {
        answer.metadata.response_code = ResponseCode::NXDomain;
        return answer;
    };
    if all.iter().any(|data| data.record_type() == RecordType::NULL) {
        answer.metadata.response_code = ResponseCode::ServFail;
    }
    for data in all
        .into_iter()
        .filter(|data| data.record_type() == query.query_type())
    {
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    }
    answer
}
