//! What other servers are to get of a room: their destinations are told the positions, and read the events themselves.

use std::collections::BTreeSet;
use std::rc::Rc;

use selvage_event::{Event, Membership, UserId};
use selvage_object::{Failure, ObjectKey, Param, Tracked, Turn};
use selvage_protocol::delivery::{QueueEdu, RoomNews};
use selvage_protocol::destination::DestinationCommand;
use selvage_protocol::destination_key;
use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::accept::Work;
use crate::error::json;
use crate::memory::Memory;

/// What destinations are told at the end of a turn.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The first and the last position.
    span: Option<(i64, i64)>,
    /// Servers that are concerned though they have no user in the room now.
    also: BTreeSet<String>,
    /// The server that all of it comes from.
    except: Option<String>,
}

impl Work<'_, '_> {
    /// Notes that the event which has just come into the timeline goes to other servers.
    pub(crate) fn spread(&mut self, event: &Event) -> Result<(), Failure> {
        let pos = self.view().any_head()?.pos;
        let (first, _) = self.news.span.unwrap_or((pos, pos));
        self.news.span = Some((first, pos));
        self.news.also.extend(removed_from(event));
        Ok(())
    }

    /// As [`Self::spread`], for an event of another server that came through this one, which therefore passes it on.
    pub(crate) fn relay(&mut self, event: &Event) -> Result<(), Failure> {
        let pos = self.view().any_head()?.pos;
        let sql = "INSERT OR IGNORE INTO room_relayed (object, pos) VALUES (?1, ?2)";
        self.turn.write(sql, &[Param::Integer(pos)])?;
        self.news.except = Some(event.sender().domain().to_owned());
        self.spread(event)
    }

    /// Hints something that may be lost to all servers in the room; `key` names what a later one of it takes the place of.
    pub(crate) fn hint_servers(&mut self, key: &str, kind: &str, content: &Value) -> Result<(), Failure> {
        let room_id = self.turn.key().name();
        let to = servers(self.memory, self.turn)?
            .iter()
            .map(|name| destination_key(name))
            .collect();
        let edu = QueueEdu {
            key: format!("{kind}/{room_id}/{key}"),
            kind: kind.to_owned(),
            content: to_raw_value(content).map_err(|error| json(&error))?,
        };
        Ok(self.turn.hint(to, &DestinationCommand::QueueEdu(edu))?)
    }
}

/// Tells the destinations.
pub(crate) fn tell(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>, news: News) -> Result<(), Failure> {
    let Some((from, pos)) = news.span else {
        return Ok(());
    };
    let servers = servers(memory, turn)?;
    let to: BTreeSet<&String> = servers.iter().chain(&news.also).collect();
    let to: Vec<ObjectKey> = to
        .into_iter()
        .filter(|server| news.except.as_ref() != Some(*server))
        .map(|server| destination_key(server))
        .collect();
    let room_id = turn.key().name().to_owned();
    let command = RoomNews { room_id, from, pos };
    Ok(turn.tell(to, &DestinationCommand::RoomNews(command))?)
}

/// The other servers with users in the room.
fn servers(memory: &mut Tracked<Memory>, turn: &Turn<'_>) -> Result<Rc<BTreeSet<String>>, Failure> {
    if let Some(servers) = &memory.servers {
        return Ok(Rc::clone(servers));
    }
    let sql = "SELECT server FROM room_servers WHERE object = ?1 AND joined > 0";
    let names = turn.rows(sql, &[])?.into_iter().map(|mut row| row.text(0));
    let servers = Rc::new(names.collect::<Result<BTreeSet<_>, _>>()?);
    memory.change().servers = Some(Rc::clone(&servers));
    Ok(servers)
}

/// The server of a user who is put out of the room by an event, and who may have been its last.
fn removed_from(event: &Event) -> Option<String> {
    let removes = matches!(event.membership(), Some(Membership::Leave | Membership::Ban));
    let target = event.state_key().filter(|_| removes)?;
    let server = UserId::parse(target).ok()?.domain().to_owned();
    (server != event.sender().domain()).then_some(server)
}
