//! spec: client-server-api §get_matrixclientv3roomsroomidmessages.

use selvage_protocol::room::{EventFilter, Messages, MessagesReply};
use selvage_sim::asks::viewer;
use selvage_sim::sync::told;

use crate::fixture::{ALICE, BOB, Fixture};

fn ask(from: Option<i64>, backwards: bool, limit: u32) -> Messages {
    Messages {
        viewer: viewer(BOB),
        from,
        to: None,
        backwards,
        limit,
        filter: EventFilter::default(),
        lazy_load_members: false,
    }
}

fn page(fixture: &mut Fixture, ask: Messages) -> MessagesReply {
    fixture.server.ask(&fixture.room, ask).unwrap()
}

/// All events, page by page, until a page is empty or the last.
fn all(fixture: &mut Fixture, mut ask: Messages) -> Vec<String> {
    let mut events = Vec::new();
    for _ in 0..1_000 {
        let page = page(fixture, ask.clone());
        assert!(page.chunk.len() <= ask.limit as usize);
        events.extend(told(&page.chunk));
        match page.end {
            Some(_) if page.chunk.is_empty() => return events,
            Some(end) => ask.from = Some(end),
            None => return events,
        }
    }
    panic!("paging has no end")
}

#[test]
fn paging_has_no_gap_and_no_overlap() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.say_many(ALICE, 70);
    let forwards = all(&mut fixture, ask(None, false, 1_000));
    assert_eq!(forwards.len() as u64, fixture.events());
    assert_eq!(forwards[0], "create||");
    assert_eq!(forwards.last().unwrap(), "70");
    let mut backwards = forwards.clone();
    backwards.reverse();
    for limit in [1, 3, 64, 65, 1_000] {
        assert_eq!(
            all(&mut fixture, ask(None, false, limit)),
            forwards,
            "forwards by {limit}"
        );
        assert_eq!(
            all(&mut fixture, ask(None, true, limit)),
            backwards,
            "backwards by {limit}"
        );
    }
}

#[test]
fn a_token_stands_between_two_events_for_both_ways() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.say_many(ALICE, 10);
    let middle = page(&mut fixture, ask(None, true, 5)).end;
    assert_eq!(told(&page(&mut fixture, ask(middle, true, 2)).chunk), ["5", "4"]);
    assert_eq!(told(&page(&mut fixture, ask(middle, false, 2)).chunk), ["6", "7"]);
    fixture.said(ALICE, "11");
    assert_eq!(
        told(&page(&mut fixture, ask(middle, false, 100)).chunk),
        ["6", "7", "8", "9", "10", "11"]
    );
}

#[test]
fn the_other_end_bounds_a_page() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.say_many(ALICE, 10);
    let newest = page(&mut fixture, ask(None, true, 2)).end.unwrap();
    let oldest = page(&mut fixture, ask(None, true, 7)).end.unwrap();
    let back = Messages {
        to: Some(oldest),
        ..ask(Some(newest), true, 100)
    };
    let back = page(&mut fixture, back);
    assert_eq!(
        (told(&back.chunk), back.end),
        (["8", "7", "6", "5", "4"].map(str::to_owned).to_vec(), None)
    );
    let forth = Messages {
        to: Some(newest),
        ..ask(Some(oldest), false, 100)
    };
    assert_eq!(told(&page(&mut fixture, forth).chunk), ["4", "5", "6", "7", "8"]);
}

#[test]
fn positions_out_of_any_range_are_harmless() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.say_many(ALICE, 3);
    for from in [i64::MIN, i64::MAX] {
        for backwards in [true, false] {
            let page = page(&mut fixture, ask(Some(from), backwards, 1_000));
            let everything = (from == i64::MAX) == backwards;
            assert_eq!(page.chunk.is_empty(), !everything, "{from} {backwards}");
        }
    }
}

#[test]
fn filters_choose_events_and_paging_still_ends() {
    let mut fixture = Fixture::peopled("invite", "shared");
    for number in 1..=6 {
        fixture.said(if number % 2 == 0 { ALICE } else { BOB }, &number.to_string());
    }
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let cases = [
        (
            EventFilter {
                types: texts(&["m.room.message"]),
                ..EventFilter::default()
            },
            vec!["1", "2", "3", "4", "5", "6"],
        ),
        (
            EventFilter {
                types: texts(&[]),
                ..EventFilter::default()
            },
            vec![],
        ),
        (
            EventFilter {
                senders: texts(&[BOB]),
                types: texts(&["*.message"]),
                ..EventFilter::default()
            },
            vec!["1", "3", "5"],
        ),
        (
            EventFilter {
                not_senders: vec![BOB.to_owned()],
                not_types: vec![
                    "m.room.[a-z]*".to_owned(),
                    "m.room.m*r".to_owned(),
                    "m.room.*s".to_owned(),
                ],
                types: texts(&["m.room.m*"]),
                ..EventFilter::default()
            },
            vec!["2", "4", "6"],
        ),
    ];
    for (filter, expected) in cases {
        let mut wanted = ask(None, false, 2);
        wanted.filter = filter.clone();
        assert_eq!(all(&mut fixture, wanted), expected, "{filter:?}");
        let mut wanted = ask(None, true, 2);
        wanted.filter = filter;
        let mut backwards = all(&mut fixture, wanted);
        backwards.reverse();
        assert_eq!(backwards, expected);
    }
}

#[test]
fn a_page_brings_the_members_that_it_needs() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.said(BOB, "hello");
    let wanted = Messages {
        lazy_load_members: true,
        ..ask(None, true, 1)
    };
    assert_eq!(told(&page(&mut fixture, wanted).state), ["member|@bob:test|join"]);
    assert!(page(&mut fixture, ask(None, true, 1)).state.is_empty());
}
