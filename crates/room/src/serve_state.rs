//! States and auth chains for other servers.

use std::collections::BTreeSet;

use selvage_event::EventId;
use selvage_object::{Failure, Fault};
use selvage_protocol::federation::{AuthChain, StateIds, StateIdsReply};

use crate::chains::ord;
use crate::error::{not_found, trie};
use crate::server_eyes::ServerEyes;
use crate::trie::State;
use crate::view::View;

/// The state before an event, and all that authorises it; see [`StateIds`].
pub(crate) fn state_ids(view: View<'_>, command: &StateIds) -> Result<StateIdsReply, Failure> {
    ServerEyes::new(view, &command.server)?;
    let nothing = || not_found("no such event in this room, or its state is not known");
    let id = EventId::parse(&command.event_id).map_err(|_| nothing())?;
    let before = match view.stored_by_id(id.as_str())? {
        Some(stored) => Some(stored.before),
        None => view.other(&id)?.and_then(|other| other.before),
    };
    let state = entries(view, before.ok_or_else(nothing)?)?;
    let chain = auth_chain(view, &state)?;
    let text = |id: &EventId| id.as_str().to_owned();
    Ok(StateIdsReply {
        state: state.iter().map(text).collect(),
        auth_chain: chain.iter().map(|(_, id)| text(id)).collect(),
    })
}

/// An event's auth chain; see [`AuthChain`].
pub(crate) fn auth_chain_of(view: View<'_>, command: &AuthChain) -> Result<Vec<String>, Failure> {
    ServerEyes::new(view, &command.server)?;
    let nothing = || not_found("no such event in this room");
    let id = EventId::parse(&command.event_id).map_err(|_| nothing())?;
    view.event(&id)?.ok_or_else(nothing)?;
    let chain = auth_chain(view, &[id])?;
    Ok(chain.iter().map(|(_, id)| id.as_str().to_owned()).collect())
}

fn entries(view: View<'_>, state: State) -> Result<Vec<EventId>, Fault> {
    let nodes = view.nodes();
    let mut ids = Vec::new();
    for entry in state.entries(&nodes).map_err(trie)? {
        let id = entry.map_err(trie)?.event_id();
        ids.push(EventId::parse(id).map_err(|error| Fault::corrupt(error.to_string()))?);
    }
    Ok(ids)
}

/// The auth chain of some events, each event after those that it cites.
fn auth_chain(view: View<'_>, of: &[EventId]) -> Result<BTreeSet<(i64, EventId)>, Fault> {
    let mut seen = BTreeSet::new();
    let mut chain = BTreeSet::new();
    let mut open: Vec<EventId> = of.to_vec();
    while let Some(id) = open.pop() {
        for cited in view.known_event(&id)?.auth_events() {
            if seen.insert(cited.clone()) {
                chain.insert((ord(view, cited)?, cited.clone()));
                open.push(cited.clone());
            }
        }
    }
    Ok(chain)
}
