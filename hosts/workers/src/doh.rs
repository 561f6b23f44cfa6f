//! SRV records by DNS over HTTPS, in the JSON form that Cloudflare's and Google's resolvers answer in.

use selvage_workflow::discovery::SrvRecord;
use serde::Deserialize;

/// The resolver that is asked unless set otherwise.
pub(crate) const RESOLVER_DEFAULT: &str = "https://cloudflare-dns.com/dns-query";

/// The number of the type SRV. RFC 2782.
const SRV: u16 = 33;
/// Response codes. RFC 1035 §4.1.1.
const NO_ERROR: u16 = 0;
const NO_SUCH_NAME: u16 = 3;

/// How long an answer holds, in seconds, at least and at most.
const HOLDS_S: std::ops::RangeInclusive<u64> = 60..=3_600;

/// What a resolver says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The records.
    pub(crate) records: Vec<SrvRecord>,
    /// How long this holds, in milliseconds.
    pub(crate) holds_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    status: u16,
    #[serde(default)]
    answer: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "type")]
    kind: u16,
    #[serde(rename = "TTL", default)]
    ttl: u64,
    data: String,
}

/// The address at which a resolver says which SRV records a name has, which is one in DNS.
pub(crate) fn question(resolver: &str, name: &str) -> String {
    format!("{resolver}?name={name}&type=SRV")
}

/// Reads a resolver's reply; `None` when it does not know, or makes no sense.
pub(crate) fn read(reply: &[u8]) -> Option<Found> {
    let reply: Reply = serde_json::from_slice(reply).ok()?;
    if ![NO_ERROR, NO_SUCH_NAME].contains(&reply.status) {
        return None;
    }
    let records = reply.answer.iter().filter(|record| record.kind == SRV);
    let seconds = records.clone().map(|record| record.ttl).min();
    let seconds = seconds
        .unwrap_or(*HOLDS_S.end())
        .clamp(*HOLDS_S.start(), *HOLDS_S.end());
    Some(Found {
        records: records.filter_map(|record| parse(&record.data)).collect(),
        holds_ms: seconds * 1_000,
    })
}

/// `PRIORITY WEIGHT PORT TARGET`.
fn parse(data: &str) -> Option<SrvRecord> {
    let mut parts = data.split_ascii_whitespace();
    let mut number = || parts.next()?.parse().ok();
    let (priority, weight, port) = (number()?, number()?, number()?);
    Some(SrvRecord {
        priority,
        weight,
        port,
        target: parts.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: &str) -> Option<(Vec<String>, u64)> {
        let found = read(reply.as_bytes())?;
        let text = |record: SrvRecord| {
            format!(
                "{} {} {} {}",
                record.priority, record.weight, record.port, record.target
            )
        };
        Some((found.records.into_iter().map(text).collect(), found.holds_ms))
    }

    #[test]
    fn records_are_read() {
        let reply = r#"{"Status":0,"TC":false,"RD":true,"RA":true,"AD":false,"CD":false,
            "Question":[{"name":"_matrix-fed._tcp.a.org","type":33}],
            "Answer":[{"name":"_matrix-fed._tcp.a.org","type":5,"TTL":1,"data":"alias.org."},
                      {"name":"alias.org","type":33,"TTL":300,"data":"10 5 8448 m.a.org."},
                      {"name":"alias.org","type":33,"TTL":900,"data":"20 0 443 ."}]}"#;
        let records = vec!["10 5 8448 m.a.org.".to_owned(), "20 0 443 .".to_owned()];
        assert_eq!(check(reply), Some((records, 300_000)));
    }

    #[test]
    fn no_records_are_an_answer_and_a_failure_is_none() {
        for reply in [r#"{"Status":3}"#, r#"{"Status":0,"Answer":[]}"#] {
            assert_eq!(check(reply), Some((Vec::new(), 3_600_000)), "{reply}");
        }
        for reply in [r#"{"Status":2}"#, "{}", "<html>", ""] {
            assert_eq!(check(reply), None, "{reply}");
        }
    }

    #[test]
    fn records_that_make_no_sense_are_left_out() {
        let reply = r#"{"Status":0,"Answer":[{"type":33,"TTL":0,"data":"1 2 3"},{"type":33,"data":"1 2 99999 a."},
            {"type":33,"TTL":0,"data":"\\# 4 00010002"}]}"#;
        assert_eq!(check(reply), Some((Vec::new(), 60_000)));
    }
}
