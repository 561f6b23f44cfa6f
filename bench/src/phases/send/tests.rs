use super::*;
use crate::http::testing::with_server;

const TIMES: Times = Times {
    warm_up: Duration::from_millis(20),
    duration: Duration::from_millis(300),
};

fn lane(path: &str) -> Lane {
    Lane {
        token: "t".to_owned(),
        path: path.to_owned(),
    }
}

#[test]
fn every_number_in_flight_has_its_figures() {
    with_server(async |address| {
        let (mut record, ids) = (Record::default(), Cell::new(0));
        let target = Target {
            address: &address,
            pid: Some(std::process::id()),
        };
        // Fewer rooms than connections: some connections share a room.
        send(target, TIMES, &[lane("/a/"), lane("/b/")], (3, &ids), &mut record)
            .await
            .unwrap();
        send(target, TIMES, &[lane("/a/"), lane("/b/")], (1, &ids), &mut record)
            .await
            .unwrap();
        assert_eq!(record.errors.count, 0);
        for key in [
            "send.3.rate",
            "send.3.p50",
            "send.3.p99",
            "send.3.server_cpu",
            "send.1.rate",
            "send.1.other_cores",
        ] {
            assert_eq!(
                record.figures.get(key).map(|figure| figure.rounds.len()),
                Some(1),
                "{key}"
            );
        }
    });
}

#[test]
fn a_refused_message_is_counted_as_an_error_and_not_as_a_message() {
    with_server(async |address| {
        let (mut record, ids) = (Record::default(), Cell::new(0));
        let target = Target {
            address: &address,
            pid: None,
        };
        send(target, TIMES, &[lane("/limited/")], (2, &ids), &mut record)
            .await
            .unwrap();
        assert_eq!(record.errors.count, ids.get());
        // Each of the two lanes gives up, at the latest after so many.
        assert!((1..=2 * PATIENCE).contains(&ids.get()));
        assert!(record.errors.samples[0].starts_with("send: status 429: PUT /limited/"));
        assert_eq!(record.figures.median("send.2.rate"), Some(0.0));
        assert_eq!(record.figures.get("send.2.p50"), None);
    });
}
