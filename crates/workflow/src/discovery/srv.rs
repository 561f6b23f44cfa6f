//! The order of SRV records. RFC 2782.

use std::iter;

use selvage_object::Random;

use super::authority::{self, Target};
use super::lookups::SrvRecord;
use crate::RemoteError;

/// The most records of one name that are tried.
const TARGETS_MAX: usize = 8;

/// Where records lead, best first.
///
/// # Errors
/// When they say that the service is not there, or lead nowhere.
pub(super) fn targets(
    name: &str,
    records: Vec<SrvRecord>,
    seed: [u8; 32],
) -> Result<Vec<Target>, RemoteError> {
    let ordered = ordered(records, &mut Random::new(seed));
    let found: Vec<_> = ordered.iter().filter_map(target).take(TARGETS_MAX).collect();
    if found.is_empty() {
        let problem = format!("the SRV records of {name} say that there is no Matrix server");
        return Err(RemoteError::Unreachable(problem));
    }
    Ok(found)
}

fn target(record: &SrvRecord) -> Option<Target> {
    let host = authority::host(&record.target).ok()?;
    (record.port > 0).then_some(Target {
        host,
        port: record.port,
    })
}

/// By priority, and within one by lot, in which the weight is the chance.
fn ordered(mut records: Vec<SrvRecord>, random: &mut Random) -> Vec<SrvRecord> {
    // Those without weight first: they have a chance too, a very small one.
    records.sort_by_key(|record| (record.priority, record.weight));
    iter::from_fn(|| draw(&mut records, random)).collect()
}

fn draw(records: &mut Vec<SrvRecord>, random: &mut Random) -> Option<SrvRecord> {
    let first = records.first()?.priority;
    let class = records.iter().take_while(|record| record.priority == first);
    let weights: Vec<u64> = class.map(|record| u64::from(record.weight)).collect();
    let [a, b, c, d, ..] = random.bytes();
    let lot = u64::from(u32::from_be_bytes([a, b, c, d])) % (weights.iter().sum::<u64>() + 1);
    let sums = weights.iter().scan(0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    // The last sum is no less than the lot, so that this is the place of a record.
    let index = sums.take_while(|sum| *sum < lot).count();
    Some(records.remove(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> SrvRecord {
        SrvRecord {
            priority,
            weight,
            port: 443,
            target: target.to_owned(),
        }
    }

    fn hosts(records: &[SrvRecord], seed: u8) -> Vec<String> {
        let targets = targets("a.org", records.to_vec(), [seed; 32]).unwrap();
        targets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn priorities_come_in_order() {
        let records = [
            record(20, 9, "c.org."),
            record(0, 1, "a.org."),
            record(10, 1, "B.org"),
        ];
        assert_eq!(hosts(&records, 1), ["a.org:443", "b.org:443", "c.org:443"]);
    }

    /// Every one is drawn once, and whoever weighs more comes first more often.
    #[test]
    fn weights_are_chances() {
        let records = [
            record(0, 0, "zero"),
            record(0, 10, "ten"),
            record(0, 90, "ninety"),
        ];
        let orders: Vec<_> = (0..=255).map(|seed| hosts(&records, seed)).collect();
        assert!(orders.iter().all(|order| order.len() == 3));
        let first = |host: &str| orders.iter().filter(|order| order[0].starts_with(host)).count();
        assert!(first("ninety") > 180 && first("ten") > 5 && first("zero") < 20);
    }

    #[test]
    fn a_dot_says_that_there_is_no_server() {
        for target in [".", "", "127.1"] {
            let none = targets("a.org", vec![record(0, 0, target)], [0; 32]);
            assert!(matches!(none, Err(RemoteError::Unreachable(_))), "{target}");
        }
    }

    #[test]
    fn many_records_are_not_all_tried() {
        let records: Vec<_> = (0..100).map(|n| record(n, 0, &format!("h{n}.org"))).collect();
        assert_eq!(hosts(&records, 0).len(), TARGETS_MAX);
    }
}
