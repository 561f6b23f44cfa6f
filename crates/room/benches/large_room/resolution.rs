//! State resolution: two forks of a large room that differ in a little, beside ruma's over whole states.

use std::collections::{BTreeMap, BTreeSet};

use ruma::state_res;
use selvage_event::{Event, EventId, RoomVersion};
use selvage_protocol::federation::Outcome;
use selvage_sim::remote::{RemoteRoom, raw};

use crate::Size;
use crate::clock::{median, ms, timed};
use crate::disk::Disk;
use crate::pdu::{Pdu, RumaState, ruma_id, ruma_rules};
use crate::room::{join, populated, receive, rename};

type State = BTreeMap<(String, String), EventId>;

pub(crate) fn measure(size: Size) {
    println!(
        "## Resolution: {} members, two forks that differ in {} state events",
        size.members, size.differing
    );
    let folder = std::env::temp_dir().join(format!("selvage-resolution-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("shard.sqlite3");
    let (remote, users) = populated(size.members);
    let mut disk = Disk::open(&path);
    join(&mut disk, &remote);
    let mut case = Case::new(&remote);
    let half = size.differing / 2;
    let (mut left, mut right) = (remote.fork(), remote.fork());
    for user in &users[..half] {
        let event = rename(&mut left, user, "left");
        ours(&mut disk, &remote, &event);
        case.add(0, &event);
    }
    let mut took = Vec::new();
    for (at, user) in users[half / 2..].iter().take(size.differing - half).enumerate() {
        let event = rename(&mut right, user, "right");
        if at + 1 == size.differing - half {
            // The last of them meets what is on disk alone.
            disk = {
                drop(disk);
                Disk::open(&path)
            };
            println!("ours, cold: {}", ms(ours(&mut disk, &remote, &event)));
        } else {
            ours(&mut disk, &remote, &event);
        }
        case.add(1, &event);
    }
    for round in 0..size.rounds {
        let event = rename(&mut right, &users[half / 2], &format!("right again {round}"));
        took.push(ours(&mut disk, &remote, &event));
        case.add(1, &event);
    }
    println!(
        "ours, warm: {} (signature and rules of the event checked, forks resolved, stored, durable)",
        ms(median(took))
    );
    case.theirs(size.rounds);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

/// The room takes an event of one fork while it has the other.
fn ours(disk: &mut Disk, remote: &RemoteRoom, event: &Event) -> std::time::Duration {
    let ask = receive(remote, vec![raw(event)]);
    let (reply, took) = timed(|| disk.ask(&remote.room(), ask));
    assert_eq!(reply.verdicts[0].outcome, Outcome::Accepted, "{reply:?}");
    took
}

/// The same forks, as whole states.
struct Case {
    version: RoomVersion,
    events: BTreeMap<String, Pdu>,
    auth: BTreeMap<EventId, Vec<EventId>>,
    forks: [State; 2],
}

impl Case {
    fn new(remote: &RemoteRoom) -> Self {
        let mut case = Self {
            version: remote.version(),
            events: BTreeMap::new(),
            auth: BTreeMap::new(),
            forks: [State::new(), State::new()],
        };
        for (id, json) in &remote.sent {
            let event = Event::from_stored(json.get(), id.clone(), case.version).expect("an event");
            case.add(0, &event);
        }
        case.forks[1] = case.forks[0].clone();
        case
    }

    fn add(&mut self, fork: usize, event: &Event) {
        let id = event.event_id().clone();
        let key = event.state_key().expect("a state event").to_owned();
        self.events.insert(id.as_str().to_owned(), Pdu::of(event));
        self.auth.insert(id.clone(), event.auth_events().to_vec());
        self.forks[fork].insert((event.kind().to_owned(), key), id);
    }

    fn chain(&self, state: &State) -> BTreeSet<ruma::OwnedEventId> {
        let mut chain = BTreeSet::new();
        let mut open: Vec<&EventId> = state.values().collect();
        while let Some(id) = open.pop() {
            for cited in &self.auth[id] {
                if chain.insert(ruma_id(cited)) {
                    open.push(cited);
                }
            }
        }
        chain
    }

    /// ruma, with all events in memory.
    fn theirs(&self, rounds: usize) {
        let rules = ruma_rules(self.version);
        let map = |state: &State| -> RumaState {
            let entry = |((kind, key), id): (&(String, String), &EventId)| {
                ((kind.as_str().into(), key.clone()), ruma_id(id))
            };
            state.iter().map(entry).collect()
        };
        let (mut mapped, mut chained, mut resolved) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (maps, took) = timed(|| self.forks.each_ref().map(map));
            mapped.push(took);
            let (chains, took) = timed(|| {
                self.forks
                    .iter()
                    .map(|state| self.chain(state).into_iter().collect())
                    .collect()
            });
            chained.push(took);
            let (result, took) = timed(|| {
                state_res::resolve(
                    &rules.authorization,
                    rules.state_res.v2_rules().expect("version 2"),
                    maps.iter(),
                    chains,
                    |id| self.events.get(id.as_str()),
                    |_| None,
                )
            });
            assert_eq!(result.expect("resolved").len(), self.forks[0].len());
            resolved.push(took);
        }
        println!(
            "ruma-state-res, all events in memory: {} for resolving, {} for the auth chains before, {} for the state maps",
            ms(median(resolved)),
            ms(median(chained)),
            ms(median(mapped))
        );
    }
}
