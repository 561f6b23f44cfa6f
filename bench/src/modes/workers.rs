//! Counts on a running Workers instance.
//!
//! One operation at a time, and nothing else on the instance, so that what the counters gain is what it cost.

use std::{cell::Cell, time::Duration};

use tokio::time::sleep;

use crate::{
    args::Workers,
    clock,
    counts::{Counters, Counts, Operation},
    fault::Fault,
    http::{Connection, Request},
    machine::Machine,
    matrix::{Account, create_room, join_room, message, register, send_path, sync},
    phases::{Pair, send_one},
    report::Report,
    world::{Lane, Reader},
};

/// What is waited for before counters are read, so that work after a response is counted with it.
const SETTLE: Duration = Duration::from_secs(2);

/// The counters of an instance, and what they said of operations so far.
struct Teller<'a> {
    connection: Connection,
    options: &'a Workers,
    counts: Counts,
}

/// Counts what each operation costs.
pub(crate) async fn workers(options: &Workers) -> Result<u64, Fault> {
    let connection = Connection::open(&options.url).await?;
    let mut teller = Teller {
        connection,
        options,
        counts: Counts::default(),
    };
    operations(&mut teller).await?;
    let report = Report::of_counts(Machine::describe(None)?, teller.counts);
    report.publish(options.output.json.as_deref())?;
    Ok(report.failed_requests())
}

async fn operations(teller: &mut Teller<'_>) -> Result<(), Fault> {
    let options = teller.options;
    let connection = &mut Connection::open(&options.url).await?;
    let run = clock::run_number();
    let writer = register(connection, &format!("bench-{run}-writer")).await?;
    let reader = register(connection, &format!("bench-{run}-reader")).await?;
    let room = create_room(connection, &writer, &[&reader], &options.room_version).await?;
    join_room(connection, &reader, &room).await?;
    let lane = Lane {
        token: writer.token.clone(),
        path: send_path(&room),
    };
    let changing = Reader {
        account: reader.clone(),
        changing: vec![lane.clone()],
        rooms: 1,
    };
    let (ids, content) = (Cell::new(0), message("count"));

    teller
        .count("send", async || send_one(connection, &lane, &ids, &content).await)
        .await?;
    let mut pair = Pair::open(&options.url, &changing, &ids).await?;
    teller
        .count("send_and_wake", async || pair.exchange().await.map(drop))
        .await?;
    let since = latest(connection, &reader).await?;
    let idle = async || {
        sync(connection, &reader.token, Some(&since), Duration::ZERO, "")
            .await
            .map(drop)
    };
    teller.count("idle_sync", idle).await?;
    // Every repetition asks for the same single change, since a token stays good when it is used again.
    send_one(connection, &lane, &ids, &content).await?;
    let changed = async || {
        sync(connection, &reader.token, Some(&since), Duration::ZERO, "")
            .await
            .map(drop)
    };
    teller.count("incremental_sync", changed).await?;
    let initial = async || {
        sync(connection, &reader.token, None, Duration::ZERO, "")
            .await
            .map(drop)
    };
    teller.count("initial_sync", initial).await?;
    let create = async || {
        create_room(connection, &writer, &[], &options.room_version)
            .await
            .map(drop)
    };
    teller.count("create_room", create).await
}

async fn latest(connection: &mut Connection, reader: &Account) -> Result<String, Fault> {
    sleep(SETTLE).await;
    Ok(sync(connection, &reader.token, None, Duration::ZERO, "")
        .await?
        .next_batch)
}

impl Teller<'_> {
    async fn count(
        &mut self,
        name: &str,
        mut operation: impl AsyncFnMut() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        eprintln!("{}: {name}", self.options.url);
        let before = self.read().await?;
        for _ in 0..self.options.repetitions {
            operation().await?;
        }
        let after = self.read().await?;
        let counted = Operation::between(&before, &after, self.options.repetitions)?;
        self.counts.0.insert(name.to_owned(), counted);
        Ok(())
    }

    async fn read(&mut self) -> Result<Counters, Fault> {
        sleep(SETTLE).await;
        let what = &self.options.counts;
        let response = self.connection.call(&Request::get(what, None)).await?;
        match response.status {
            200 => serde_json::from_slice(response.body).map_err(|source| Fault::Json {
                what: what.clone(),
                source,
            }),
            status => Err(Fault::refused(what, status, response.body)),
        }
    }
}
