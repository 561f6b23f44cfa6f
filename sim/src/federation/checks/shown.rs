//! What users are shown in the end, and what rooms say before and after a restart.

use selvage_protocol::federation::{Edges, Missing, StateIds};
use selvage_protocol::room::{EventFilter, GetState, Members, Messages, RoomCommand};

use super::super::watch::{Expected, is_seen};
use super::super::world::World;
use super::{Kept, Status, id};
use crate::asks::{parsed, viewer};
use crate::plan::Checked;

/// How many events a page of the timeline has: few, so that pages meet.
const PAGE: u32 = 7;

impl World {
    /// What users are shown: the timeline and the state, and nothing that was refused or failed softly.
    pub(super) fn check_shown(&mut self, host: usize) -> Checked {
        let kept = self.kept(host);
        let mut timeline: Vec<(i64, &Kept)> =
            kept.iter().filter_map(|kept| Some((kept.pos?, kept))).collect();
        timeline.sort_by_key(|(pos, _)| *pos);
        let expected = |(_, kept): (i64, &Kept)| Expected::of(kept.id.as_str().to_owned(), &kept.json);
        let timeline: Vec<Expected> = timeline.into_iter().filter_map(expected).collect();
        for user in self.hosts[host].joined(&self.room) {
            let seen = self.all_messages(host, &user)?;
            let is_right = is_seen(&seen, &timeline, self.all_shown);
            if !is_right {
                return Err(format!(
                    "{user} pages through {seen:?} where the timeline is {timeline:?}"
                ));
            }
            let state = self.hosts[host].server.ask(
                &self.room,
                GetState {
                    viewer: viewer(&user),
                },
            );
            for event in state.map_err(|failure| failure.to_string())? {
                let id = parsed(&event)["event_id"].as_str().unwrap_or_default().to_owned();
                let status = kept
                    .iter()
                    .find(|kept| kept.id.as_str() == id)
                    .map(|kept| kept.status);
                if matches!(status, None | Some(Status::Rejected)) {
                    return Err(format!(
                        "{user} sees the state {} which is {status:?}",
                        event.get()
                    ));
                }
            }
        }
        Ok(())
    }

    /// The timeline as a user pages through it, oldest first.
    fn all_messages(&mut self, host: usize, user: &str) -> Checked<Vec<String>> {
        let mut seen = Vec::new();
        let mut from = None;
        loop {
            let ask = Messages {
                viewer: viewer(user),
                from,
                to: None,
                backwards: true,
                limit: PAGE,
                filter: EventFilter::default(),
                lazy_load_members: false,
            };
            let page = self.hosts[host]
                .server
                .ask(&self.room, ask)
                .map_err(|failure| failure.to_string())?;
            let ids = page
                .chunk
                .iter()
                .map(|event| parsed(event)["event_id"].as_str().unwrap_or_default().to_owned());
            seen.extend(ids);
            from = page.end;
            if from.is_none() {
                seen.reverse();
                return Ok(seen);
            }
        }
    }

    /// Memory is a cache: what rooms say does not change when they are loaded anew.
    pub(super) fn restart_changes_nothing(&mut self) -> Checked {
        for host in 0..self.hosts.len() {
            let before = self.all_said(host);
            let now = self.hosts[host].server.now();
            self.hosts[host].server.restart();
            self.hosts[host].server.set_now(now);
            let after = self.all_said(host);
            let changed = before.iter().zip(&after).find(|(before, after)| before != after);
            if let Some((before, after)) = changed {
                return Err(format!("a restart changed {before} to {after}"));
            }
        }
        Ok(())
    }

    fn all_said(&mut self, host: usize) -> Vec<String> {
        let mut asked = vec![
            RoomCommand::Missing(Missing {}),
            RoomCommand::Edges(Edges { before: None }),
        ];
        for user in self.hosts[host].users.clone() {
            let viewer = viewer(&user);
            asked.push(RoomCommand::GetState(GetState {
                viewer: viewer.clone(),
            }));
            asked.push(RoomCommand::Members(Members {
                viewer,
                at: None,
                membership: None,
                not_membership: None,
            }));
        }
        let newest = "SELECT event_id FROM room_events ORDER BY pos DESC LIMIT 1";
        for mut row in self.hosts[host].rows(&self.room, newest, &[]) {
            asked.push(RoomCommand::StateIds(StateIds {
                server: self.name_of((host + 1) % self.hosts.len()),
                event_id: id(row.blob(0).expect("an id")),
            }));
        }
        let room = self.room.clone();
        let host = &mut self.hosts[host];
        let mut say = |ask: &RoomCommand| {
            let command = serde_json::to_vec(ask).expect("commands have a JSON form");
            let said = host
                .server
                .turn(&room, &command)
                .map(|reply| String::from_utf8_lossy(&reply).into_owned());
            host.server.settle();
            format!("{ask:?}: {said:?}")
        };
        asked.iter().map(&mut say).collect()
    }
}
