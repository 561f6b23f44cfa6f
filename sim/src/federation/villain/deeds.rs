//! What hostile servers do.

use std::collections::BTreeSet;

use selvage_event::{EventId, RoomVersion, Template, UserId};
use selvage_protocol::Json;
use selvage_protocol::federation::{MakeMembership, SendMembership};
use selvage_protocol::room::RoomCommand;
use selvage_protocol::user::Membership;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::super::network::Parcel;
use super::super::plan::{Act, After, Deed, Forgery, Odd};
use super::super::ports::sign;
use super::super::world::{Then, World};
use super::{Make, newest, time};
use crate::plan::Checked;

impl World {
    /// What a hostile server answers to a question about the room.
    pub(crate) fn answer_of(&mut self, number: usize, asked: &RoomCommand) -> Option<Value> {
        let villain = number - self.hosts.len();
        self.villains[villain].answer(&self.reference, asked)
    }

    /// A hostile server does something.
    pub(crate) fn villain(&mut self, index: usize, deed: &Deed, to: u32) -> Checked {
        let Some(villain) = index.checked_rem(self.villains.len()) else {
            return Ok(());
        };
        let user = self.villains[villain].user.clone();
        match deed {
            Deed::Join { via } => return self.villain_joins(villain, self.host(*via)),
            Deed::Act { act, after, odd } => {
                let prev = self.followed(after);
                self.make(villain, &user, act, prev, None, *odd, to);
            }
            Deed::Forge { victim, how, act } => self.forge(villain, *victim, *how, act, to),
            Deed::Equivocate { act, other } => {
                let prev = self.followed(&After::Newest);
                self.make(villain, &user, act, prev.clone(), None, Odd::Nothing, to);
                self.make(villain, &user, other, prev, None, Odd::Nothing, !to);
            }
            Deed::Withhold { length, act } => self.withhold(villain, *length, act, to),
            Deed::WrongAuth { act, cited } => {
                let prev = self.followed(&After::Newest);
                let auth = self.followed(&After::These(cited.clone()));
                self.make(villain, &user, act, prev, Some(auth), Odd::Nothing, to);
            }
            Deed::SecondCreate => self.second_create(villain, to),
            Deed::Strip { which } => self.strip(villain, *which, to),
            Deed::Reveal => self.reveal(villain, to),
            Deed::Lie { lies } => self.villains[villain].lies = *lies,
        }
        Ok(())
    }

    fn followed(&self, after: &After) -> Vec<EventId> {
        let order = self.reference.order();
        match after {
            After::Newest => newest(&self.reference),
            After::These(which) => {
                let chosen: BTreeSet<usize> = which.iter().map(|which| which % order.len()).collect();
                chosen.into_iter().map(|which| order[which].clone()).collect()
            }
            After::Nothing => Vec::new(),
            After::Unknown => {
                let nobody_has = match self.reference.version() {
                    RoomVersion::V1 | RoomVersion::V2 => "$nobody:h0.test".to_owned(),
                    _ => format!("${}", "A".repeat(43)),
                };
                vec![EventId::parse(nobody_has).expect("an id")]
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an event has many parts")]
    fn make(
        &mut self,
        villain: usize,
        sender: &UserId,
        act: &Act,
        prev: Vec<EventId>,
        auth: Option<Vec<EventId>>,
        odd: Odd,
        to: u32,
    ) {
        let users = self.users();
        let make = Make {
            sender,
            act,
            prev,
            auth,
            odd,
        };
        let Some(event) = self.villains[villain].make(&self.reference, &users, make) else {
            return;
        };
        self.note_act(act);
        if let Some((_, json)) = self.villains[villain].keep(&mut self.reference, &event, false) {
            self.send_to(villain, &[json], to);
        }
    }

    fn note_act(&mut self, act: &Act) {
        self.all_shown &= !matches!(act, Act::History { .. });
    }

    /// Puts events into the post to all with a bit in the mask.
    fn send_to(&mut self, villain: usize, events: &[Json], to: u32) {
        for host in 0..self.hosts.len() {
            if to >> (host % 32) & 1 == 1 && self.hosts[host].newest(&self.room).is_some() {
                self.parcels.push(Parcel {
                    from: self.hosts.len() + villain,
                    to: host,
                    events: events.to_vec(),
                    after: None,
                });
            }
        }
    }

    fn forge(&mut self, villain: usize, victim: usize, how: Forgery, act: &Act, to: u32) {
        let users = self.users();
        let victim: UserId = users[victim % users.len()].parse().expect("a user id");
        let sender = match how {
            Forgery::Hash => self.villains[villain].user.clone(),
            Forgery::Key | Forgery::Unsigned => victim,
        };
        let make = Make {
            sender: &sender,
            act,
            prev: newest(&self.reference),
            auth: None,
            odd: Odd::Nothing,
        };
        let Some(mut event) = self.villains[villain].make(&self.reference, &users, make) else {
            return;
        };
        match how {
            Forgery::Key => {
                // Signed with its own key, in the name of the sender's server.
                let own = self.villains[villain].name.as_str().to_owned();
                let signature = event["signatures"][&own].clone();
                event["signatures"] = json!({ sender.domain(): signature });
            }
            Forgery::Unsigned => {}
            // What stays of it is the redacted form, and that is the same for all.
            Forgery::Hash => event["content"]["reason"] = json!("changed"),
        }
        if let Forgery::Hash = how {
            self.note_act(act);
            self.villains[villain].keep(&mut self.reference, &event, false);
        }
        let json = to_raw_value(&event).expect("JSON");
        self.send_to(villain, &[json], to);
    }

    fn withhold(&mut self, villain: usize, length: u64, act: &Act, to: u32) {
        let user = self.villains[villain].user.clone();
        let users = self.users();
        let mut prev = newest(&self.reference);
        for number in 0..=length {
            let is_last = number == length;
            let make = Make {
                sender: &user,
                act: if is_last || number == 0 { act } else { &Act::Say },
                prev,
                auth: None,
                odd: Odd::Nothing,
            };
            let Some(event) = self.villains[villain].make(&self.reference, &users, make) else {
                return;
            };
            self.note_act(act);
            let Some((id, json)) = self.villains[villain].keep(&mut self.reference, &event, !is_last) else {
                return;
            };
            prev = vec![id];
            if is_last {
                self.send_to(villain, &[json], to);
            }
        }
    }

    fn second_create(&mut self, villain: usize, to: u32) {
        let villain_is = &self.villains[villain];
        let version = self.reference.version();
        let template = Template {
            room_id: (!version.rules().auth.privileged_creators)
                .then(|| self.reference.room_id().parse().expect("a room id")),
            sender: villain_is.user.clone(),
            kind: "m.room.create".to_owned(),
            state_key: Some(String::new()),
            content: json!({ "room_version": version.as_str(), "creator": villain_is.user.as_str() })
                .as_object()
                .cloned()
                .unwrap_or_default(),
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth: 1,
            origin_server_ts: time(Odd::Nothing, 0),
            redacts: None,
        };
        let Some(event) = villain_is.build(version, template) else {
            return;
        };
        self.villains[villain].keep(&mut self.reference, &event, false);
        let json = to_raw_value(&event).expect("JSON");
        self.send_to(villain, &[json], to);
    }

    /// Sends an event of somebody else without its content. Of what decides over power, some room versions' redaction leaves
    /// too little for the event to be judged alike, which no server can help.
    fn strip(&mut self, villain: usize, which: usize, to: u32) {
        const KINDS: [&str; 3] = ["m.room.message", "m.room.topic", "m.room.name"];
        let order = self.reference.order();
        let event = self.reference.event(&order[which % order.len()]);
        let event = event.filter(|event| KINDS.contains(&event.kind()));
        let Some(redacted) = event.and_then(|event| event.redacted().ok()) else {
            return;
        };
        let json = RawValue::from_string(redacted.json().to_owned()).expect("JSON");
        self.send_to(villain, &[json], to);
    }

    /// Sends all that was kept back.
    pub(crate) fn reveal(&mut self, villain: usize, to: u32) {
        let villain_is = &mut self.villains[villain];
        let kept_back = std::mem::take(&mut villain_is.kept_back);
        let events = villain_is.made.iter().filter(|id| kept_back.contains(*id));
        let events: Vec<Json> = events
            .filter_map(|id| villain_is.gives(&self.reference, id))
            .collect();
        for piece in events.chunks(10) {
            self.send_to(villain, piece, to);
        }
    }

    fn villain_joins(&mut self, villain: usize, via: usize) -> Checked {
        let villain_is = &self.villains[villain];
        let (server, user_id) = (
            villain_is.name.as_str().to_owned(),
            villain_is.user.as_str().to_owned(),
        );
        let make = MakeMembership {
            server: server.clone(),
            user_id,
            membership: Membership::Join,
            versions: vec![self.reference.version().as_str().to_owned()],
            is_in_allowed_room: true,
        };
        let Ok(made) = self.ask(via, make, Then::Settle)? else {
            return Ok(());
        };
        let villain_is = &self.villains[villain];
        let signed = sign(
            &made.event,
            self.reference.version(),
            (&villain_is.name, &villain_is.key),
        );
        let Some(event) = signed else { return Ok(()) };
        let send = SendMembership {
            server,
            membership: Membership::Join,
            event,
            keys: self.keys.clone(),
            is_in_allowed_room: true,
        };
        let sent = self.ask(via, send, Then::Settle)?;
        self.learn(via);
        if let Ok(sent) = sent
            && let Some(id) = self.reference.add(sent.event.get())
        {
            self.villains[villain].made.push(id);
        }
        Ok(())
    }
}
