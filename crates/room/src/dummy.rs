//! Keeping the forward extremities few: an event of no meaning follows many of them, so that the next ones need not.

use selvage_event::{Map, Membership, UserId};
use selvage_object::Failure;

use crate::accept::{Draft, Work};
use crate::place::{Placed, Placing};

/// The type of such an event, as the network knows it. Clients are not shown it.
pub(crate) const KIND: &str = "org.matrix.dummy_event";
/// More forward extremities than this are merged.
const EXTREMITIES_MAX: usize = 10;
/// How many local members are tried before the extremities stay as they are.
const SENDERS_TRIED_MAX: usize = 20;

impl Work<'_, '_> {
    /// Merges the forward extremities while there are many and a local member may send.
    pub(crate) fn merge_extremities(&mut self) -> Result<(), Failure> {
        loop {
            let before = self.view().head()?.extremities.len();
            if before <= EXTREMITIES_MAX {
                return Ok(());
            }
            let Some(sender) = self.who_may_merge()? else {
                return Ok(());
            };
            let merged = self.merge(sender)?;
            if !merged || self.view().head()?.extremities.len() >= before {
                return Ok(());
            }
        }
    }

    fn who_may_merge(&self) -> Result<Option<UserId>, Failure> {
        let Some(power) = self.power_levels()? else {
            return Ok(None);
        };
        let needed = power.event(KIND, false);
        for user_id in self.memory.locals.iter().take(SENDERS_TRIED_MAX) {
            let joined = self.now()?.membership(user_id)? == Membership::Join;
            if joined && power.user(user_id).reaches(needed) {
                return Ok(UserId::parse(user_id).ok());
            }
        }
        Ok(None)
    }

    fn merge(&mut self, sender: UserId) -> Result<bool, Failure> {
        let draft = Draft {
            sender,
            kind: KIND.to_owned(),
            state_key: None,
            content: Map::new(),
            redacts: None,
            origin_server_ts: None,
            txn: None,
        };
        let checked = self.build(draft)?;
        let Some(Placed::Accepted(event)) = self.place_or_none(checked, Placing::ours(None))? else {
            return Ok(false);
        };
        self.spread(&event)?;
        Ok(true)
    }
}
