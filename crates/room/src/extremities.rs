//! The forward extremities: events that nothing follows yet.

use selvage_event::EventId;
use selvage_event::limits::MAX_PREV_EVENTS;
use selvage_object::Fault;
use serde::{Deserialize, Serialize};

use crate::error::json;
use crate::trie::State;
use crate::{hex, memory};

/// An event that nothing follows yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extremity {
    pub(crate) id: EventId,
    /// The state after it.
    pub(crate) after: State,
    pub(crate) depth: i64,
}

/// As it is stored: the id, the root in hexadecimal digits, the depth.
#[derive(Serialize, Deserialize)]
struct Stored(EventId, String, i64);

/// The stored form.
pub(crate) fn write(extremities: &[Extremity]) -> Result<String, Fault> {
    let stored: Vec<Stored> = extremities
        .iter()
        .map(|extremity| {
            let root = hex::write(extremity.after.root().as_bytes());
            Stored(extremity.id.clone(), root, extremity.depth)
        })
        .collect();
    serde_json::to_string(&stored).map_err(|error| json(&error))
}

/// Reads the stored form.
pub(crate) fn read(text: &str) -> Result<Vec<Extremity>, Fault> {
    let stored: Vec<Stored> =
        serde_json::from_str(text).map_err(|error| Fault::corrupt(format!("extremities: {error}")))?;
    stored
        .into_iter()
        .map(|Stored(id, root, depth)| {
            let after = memory::state(&hex::read(&root)?)?;
            Ok(Extremity { id, after, depth })
        })
        .collect()
}

/// The extremities that a new event follows: all of them, or the deepest when there are more than an event may cite.
pub(crate) fn to_follow(extremities: &[Extremity]) -> Vec<&Extremity> {
    let mut all: Vec<&Extremity> = extremities.iter().collect();
    all.sort_by(|a, b| b.depth.cmp(&a.depth).then_with(|| a.id.cmp(&b.id)));
    all.truncate(MAX_PREV_EVENTS);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extremity(number: usize) -> Extremity {
        Extremity {
            id: EventId::parse(format!("${number}")).unwrap(),
            after: State::EMPTY,
            depth: i64::try_from(number).unwrap(),
        }
    }

    #[test]
    fn extremities_survive_storage() {
        let all: Vec<Extremity> = (0..3).map(extremity).collect();
        assert_eq!(read(&write(&all).unwrap()).unwrap(), all);
    }

    #[test]
    fn a_new_event_follows_the_deepest_that_it_may_cite() {
        let all: Vec<Extremity> = (0..MAX_PREV_EVENTS + 5).map(extremity).collect();
        let followed = to_follow(&all);
        assert_eq!(followed.len(), MAX_PREV_EVENTS);
        assert_eq!(followed.last().unwrap().depth, 5);
    }
}
