//! Two people chat with two existing client SDKs while their server is killed again and again.
//!
//! matrix-nio and matrix-js-sdk run their ordinary sync loops and send at the same time. Whatever the server
//! acknowledged, and whatever it stored without having had the time to acknowledge it, appears once for both, and in
//! the same order for both.
#![allow(clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use selvage_e2e::{Driver, Host, Server, wait};
use serde_json::{Value, json};

/// How long nothing at all may happen before the test gives up.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// How long to listen to one client before looking at the other.
const TURN: Duration = Duration::from_millis(10);
/// How long to listen on when everything has come.
const AFTERMATH: Duration = Duration::from_secs(1);
/// Long enough for an idle Durable Object to be evicted, which takes 10 seconds.
const EVICTION: Duration = Duration::from_secs(12);
const PASSWORD: &str = "correct horse battery staple";

/// Declares the scenarios for one host.
macro_rules! on_host {
    ($module:ident, $host:expr, each: $each:literal, kills: $kills:literal) => {
        mod $module {
            use super::*;

            #[test]
            fn chat() {
                super::chat($host, $each, $kills);
            }

            #[test]
            fn chat_after_a_long_absence() {
                super::absence($host);
            }

            #[test]
            fn chat_with_silences() {
                super::silences($host);
            }
        }
    };
}

on_host!(native, Host::Native, each: 500, kills: 10);
on_host!(workerd, Host::Workerd, each: 500, kills: 10);
on_host!(wrangler, Host::Wrangler, each: 50, kills: 1);
#[cfg(feature = "synapse")]
on_host!(synapse, Host::Synapse, each: 500, kills: 10);

/// One client and what it has told.
struct Person {
    driver: Driver,
    user_id: String,
    prefix: &'static str,
    sent: usize,
    /// (event id, sender, body) in the order of the timeline.
    messages: Vec<(String, String, String)>,
}

impl Person {
    fn new(mut driver: Driver, name: &str, prefix: &'static str) -> Person {
        let registered = driver.ask("register", json!({"username": name, "password": PASSWORD}));
        let user_id = text(&registered, "user_id");
        // What registered may also sign in again.
        let signed_in = driver.ask("login", json!({"username": user_id, "password": PASSWORD}));
        assert_eq!(text(&signed_in, "user_id"), user_id);
        driver.ask("start_sync", json!({}));
        Person {
            driver,
            user_id,
            prefix,
            sent: 0,
            messages: Vec::new(),
        }
    }

    /// Begins to write the next `count` messages, one after the other.
    fn send(&mut self, room_id: &str, count: usize) {
        let first = self.sent;
        let next = json!({"room_id": room_id, "prefix": self.prefix, "first": first, "count": count});
        self.driver.ask("send", next);
    }

    fn listen_until(&mut self, what: &str, done: impl Fn(&Person) -> bool) {
        let got_there = wait::poll(SILENCE_LIMIT, || {
            self.listen();
            done(self).then_some(())
        });
        assert!(
            got_there.is_some(),
            "waited in vain until {what}: {}",
            self.progress()
        );
    }

    fn progress(&self) -> String {
        format!(
            "{} sent {}, saw {}; ",
            self.user_id,
            self.sent,
            self.messages.len()
        )
    }

    /// Takes in what the client told meanwhile; tells whether there was anything.
    fn listen(&mut self) -> bool {
        let mut limit = TURN;
        let mut heard = false;
        while let Some(event) = self.driver.event(limit) {
            limit = Duration::ZERO;
            match event["event"].as_str() {
                Some("sent") => self.sent += 1,
                Some("message") => self.messages.push(message(&event)),
                _ => continue,
            }
            heard = true;
        }
        heard
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
        .to_owned()
}

fn message(event: &Value) -> (String, String, String) {
    (
        text(event, "event_id"),
        text(event, "sender"),
        text(event, "body"),
    )
}

/// A room in which a person on each SDK has joined.
struct Meeting {
    server: Server,
    room_id: String,
    alice: Person,
    bob: Person,
}

impl Meeting {
    fn new(host: Host) -> Meeting {
        let server = Server::start(host);
        let logs = server.directory().to_owned();
        let python = Driver::python(&server.base_url(), &logs.join("python.log"));
        let js = Driver::js(&server.base_url(), &logs.join("js.log"));
        let mut alice = Person::new(python, "alice", "from python ");
        let mut bob = Person::new(js, "bob", "from js ");

        let room_id = text(&alice.driver.ask("create_room", json!({"invite": []})), "room_id");
        alice
            .driver
            .ask("invite", json!({"room_id": room_id, "user_id": bob.user_id}));
        bob.driver.ask("join", json!({"room_id": room_id}));
        Meeting {
            server,
            room_id,
            alice,
            bob,
        }
    }

    fn check(&mut self, each: usize) {
        // What would come twice comes now.
        for person in [&mut self.alice, &mut self.bob] {
            std::thread::sleep(AFTERMATH);
            person.listen();
        }
        check_each_once(&self.alice, &self.bob, each);
        assert_eq!(self.alice.messages, self.bob.messages, "both saw the same order");
        check_order_of_sending(&self.alice.messages, &self.alice, each);
        check_order_of_sending(&self.bob.messages, &self.bob, each);
        check_history(&self.server, &self.alice, &self.room_id);
    }
}

/// Stages of messages both ways at once; the server is killed in the middle of each but the last, when both clients
/// had caught up before and both are sending.
fn chat(host: Host, each: usize, kills: usize) {
    let mut meeting = Meeting::new(host);
    let stage = each / (kills + 1);
    for number in 0..=kills {
        let target = if number == kills {
            each
        } else {
            (number + 1) * stage
        };
        let Meeting {
            server,
            room_id,
            alice,
            bob,
        } = &mut meeting;
        let mut people = [alice, bob];
        for person in &mut people {
            person.send(room_id, target - person.sent);
        }
        if number < kills {
            listen_to_both(&mut people, |people| {
                people.iter().map(|person| person.sent).sum::<usize>() + stage >= 2 * target
            });
            assert!(
                people.iter().any(|person| person.sent < target),
                "it is killed in the middle"
            );
            server.kill9();
            server.restart();
            for person in &mut people {
                person.driver.ask("online", json!({}));
            }
        }
        listen_to_both(&mut people, |people| {
            people
                .iter()
                .all(|person| person.sent == target && person.messages.len() >= 2 * target)
        });
    }
    meeting.check(each);
}

/// Listens to both by turns until this is so.
fn listen_to_both(people: &mut [&mut Person; 2], done: impl Fn(&[&mut Person; 2]) -> bool) {
    let mut silent = Duration::ZERO;
    while !done(people) {
        let heard = people
            .iter_mut()
            .filter_map(|person| person.listen().then_some(()))
            .count();
        silent = if heard > 0 {
            Duration::ZERO
        } else {
            silent + 2 * TURN
        };
        let progress = || people.iter().map(|person| person.progress()).collect::<String>();
        assert!(silent < SILENCE_LIMIT, "nothing happens any more: {}", progress());
    }
}

/// Each in turn is away while the other writes far more than one sync holds, and misses nothing on coming back.
fn absence(host: Host) {
    const EACH: usize = 150;
    let mut meeting = Meeting::new(host);
    for away in [1, 0] {
        let people = [&mut meeting.alice, &mut meeting.bob];
        people[away].driver.process().pause();
        people[1 - away].send(&meeting.room_id, EACH);
        people[1 - away].listen_until("it sent everything", |person| person.sent == EACH);
        people[away].driver.process().resume();
    }
    for person in [&mut meeting.alice, &mut meeting.bob] {
        person.listen_until("it saw everything", |person| person.messages.len() >= 2 * EACH);
    }
    meeting.check(EACH);
}

/// Bursts of messages with silences between them, in which a Durable Object is evicted while the syncs wait on.
fn silences(host: Host) {
    const BURST: usize = 20;
    const BURSTS: usize = 3;
    let mut meeting = Meeting::new(host);
    for burst in 1..=BURSTS {
        let Meeting {
            alice, bob, room_id, ..
        } = &mut meeting;
        for person in [&mut *alice, &mut *bob] {
            person.send(room_id, BURST);
        }
        for person in [alice, bob] {
            person.listen_until("the burst arrived", |person| {
                person.sent == burst * BURST && person.messages.len() >= 2 * burst * BURST
            });
        }
        std::thread::sleep(if burst < BURSTS { EVICTION } else { Duration::ZERO });
    }
    meeting.check(BURSTS * BURST);
}

fn check_each_once(alice: &Person, bob: &Person, each: usize) {
    let bodies = |person: &Person| {
        (0..each)
            .map(move |number| format!("{}{number}", person.prefix))
            .collect::<Vec<_>>()
    };
    let mut expected = [bodies(alice), bodies(bob)].concat();
    expected.sort();
    for person in [alice, bob] {
        let mut seen: Vec<String> = person.messages.iter().map(|(_, _, body)| body.clone()).collect();
        seen.sort();
        assert_eq!(seen, expected, "{} saw each message once", person.user_id);
        let ids: BTreeSet<&String> = person.messages.iter().map(|(event_id, _, _)| event_id).collect();
        assert_eq!(
            ids.len(),
            2 * each,
            "{} saw as many events as messages",
            person.user_id
        );
    }
}

/// Each waited for the answer to one message before sending the next, so theirs are in order.
fn check_order_of_sending(messages: &[(String, String, String)], person: &Person, each: usize) {
    let own: Vec<&str> = messages
        .iter()
        .filter(|(_, sender, _)| *sender == person.user_id)
        .map(|(_, _, body)| body.as_str())
        .collect();
    let expected: Vec<String> = (0..each)
        .map(|number| format!("{}{number}", person.prefix))
        .collect();
    assert_eq!(
        own, expected,
        "{}'s messages are in the order of sending",
        person.user_id
    );
}

/// A third way to look: what `/messages` says to a device that was not there.
fn check_history(server: &Server, alice: &Person, room_id: &str) {
    let reply = server.api().try_login(&alice.user_id, PASSWORD);
    let api = server.api().with_token(&reply.string("/access_token"));
    let stored: Vec<_> = api
        .history(room_id)
        .iter()
        .filter(|event| event["type"] == "m.room.message")
        .map(|event| {
            (
                text(event, "event_id"),
                text(event, "sender"),
                text(&event["content"], "body"),
            )
        })
        .collect();
    assert_eq!(stored, alice.messages, "/messages tells the same");
}
