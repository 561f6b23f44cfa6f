//! The auth chains of forks, without walking them.
//!
//! An auth chain goes back to the beginning of the room, and nearly all of it is common to all forks. So chains are not
//! walked from their heads down, but questions about one event are answered upwards: which forks have it in the auth chain
//! of their state? Those whose state has an event that cites it, or that cites one that cites it, and so on
//! (`room_citations`). An event that all forks share is mostly cited by something that is in all their states, and the
//! climb ends at once; one that is not shared is cited by little.
//!
//! Citations are numbered (`ord`) in the order in which events came, each event after those it cites; newer ones are
//! looked at first, because they are the likelier to be in a state.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use selvage_event::EventId;
use selvage_event::resolve::Conflicted;
use selvage_object::{Fault, Param};

use crate::event_ref;
use crate::trie::State;
use crate::view::View;

/// How many citations of an event are read at a time.
const CITATIONS_PAGE: u64 = 16;
/// How many events a climb that only saves work may look at.
const REACH_CLIMB_MAX: usize = 2_000;

/// Some of the forks, as bits by their number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mask(Vec<u64>);

impl Mask {
    fn none(forks: usize) -> Self {
        Self(vec![0; forks.div_ceil(64)])
    }

    fn all(forks: usize) -> Self {
        let mut mask = Self::none(forks);
        (0..forks).for_each(|fork| mask.add(fork));
        mask
    }

    fn add(&mut self, fork: usize) {
        if let Some(word) = self.0.get_mut(fork / 64) {
            *word |= 1 << (fork % 64);
        }
    }

    fn add_all(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    fn is_none(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

/// What a climb looks at next: the greatest number first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    ord: i64,
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// An event that cites one that was looked at.
    Event(EventId),
    /// The citations of an event that lie below the number.
    MoreOf(EventId),
}

/// The auth chains of some forks.
pub(crate) struct Chains<'a> {
    view: View<'a>,
    base: State,
    conflicted: &'a Conflicted,
    forks: usize,
    all: Mask,
    /// In the chains of which forks' states an event is, where that is known.
    masks: RefCell<BTreeMap<EventId, Mask>>,
    /// The events from which a conflicted one can be reached.
    above: OnceCell<Above>,
}

enum Above {
    /// These, and no others.
    These(BTreeSet<EventId>),
    /// Too many to be found; none has a lesser number than this.
    NotBelow(i64),
}

impl<'a> Chains<'a> {
    /// The chains of the forks whose states differ in `conflicted`, and elsewhere are like `base`.
    pub(crate) fn new(view: View<'a>, base: State, conflicted: &'a Conflicted) -> Self {
        let forks = conflicted.values().map(Vec::len).max().unwrap_or(0);
        Self {
            view,
            base,
            conflicted,
            forks,
            all: Mask::all(forks),
            masks: RefCell::default(),
            above: OnceCell::new(),
        }
    }

    /// The auth difference (spec: rooms/v2 §definitions): the events that are in the auth chain of some fork's state, and
    /// not of every fork's.
    pub(crate) fn difference(&self) -> Result<BTreeSet<EventId>, Fault> {
        let mut difference = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = BTreeSet::new();
        for id in self.conflicted.values().flatten().flatten() {
            self.open_cited(id, &mut seen, &mut open)?;
        }
        // By descending number: what cites an event is decided before the event.
        while let Some((_, id)) = open.pop_last() {
            if self.mask(&id)? != self.all {
                self.open_cited(&id, &mut seen, &mut open)?;
                difference.insert(id);
            }
        }
        Ok(difference)
    }

    fn open_cited(
        &self,
        citing: &EventId,
        seen: &mut BTreeSet<EventId>,
        open: &mut BTreeSet<(i64, EventId)>,
    ) -> Result<(), Fault> {
        let event = self.view.known_event(citing)?;
        for cited in event.auth_events() {
            // The create event is in all chains.
            if seen.insert(cited.clone()) && self.view.known_event(cited)?.kind() != "m.room.create" {
                open.insert((ord(self.view, cited)?, cited.clone()));
            }
        }
        Ok(())
    }

    /// In the chains of which forks' states the event is.
    fn mask(&self, id: &EventId) -> Result<Mask, Fault> {
        let mut found = Mask::none(self.forks);
        let mut climb = Climb::from(self.view, id)?;
        while let Some(citing) = climb.next()? {
            found.add_all(&self.states_with(&citing)?);
            let known = self.masks.borrow().get(&citing).cloned();
            if let Some(known) = &known {
                found.add_all(known);
            }
            if found == self.all {
                break;
            }
            if known.is_none() {
                climb.above(&citing)?;
            }
        }
        let mut masks = self.masks.borrow_mut();
        if found.is_none() {
            // Then none of those that were looked at is in a chain either.
            masks.extend(climb.seen.into_iter().map(|citing| (citing, found.clone())));
        }
        masks.insert(id.clone(), found.clone());
        Ok(found)
    }

    /// Which forks' states have the event.
    fn states_with(&self, id: &EventId) -> Result<Mask, Fault> {
        let event = self.view.known_event(id)?;
        let key = (
            event.kind().to_owned(),
            event.state_key().unwrap_or_default().to_owned(),
        );
        let mut mask = Mask::none(self.forks);
        if let Some(values) = self.conflicted.get(&key) {
            let with = values
                .iter()
                .enumerate()
                .filter(|(_, value)| value.as_ref() == Some(id));
            with.for_each(|(fork, _)| mask.add(fork));
        } else if self.view.at(self.base).id(&key.0, &key.1)?.as_ref() == Some(id) {
            mask = self.all.clone();
        }
        Ok(mask)
    }

    /// Whether one of the targets may be in the auth chain of `from`.
    pub(crate) fn may_reach(&self, from: &EventId, targets: &BTreeSet<EventId>) -> Result<bool, Fault> {
        if self.above.get().is_none() {
            let above = self.find_above(targets)?;
            // Nobody else can have set it meanwhile: there is one thread.
            let _ = self.above.set(above);
        }
        match self.above.get() {
            Some(Above::These(above)) => Ok(above.contains(from)),
            Some(Above::NotBelow(least)) => Ok(ord(self.view, from)? > *least),
            None => Ok(true),
        }
    }

    fn find_above(&self, targets: &BTreeSet<EventId>) -> Result<Above, Fault> {
        let mut above = BTreeSet::new();
        for target in targets {
            let mut climb = Climb::from(self.view, target)?;
            while let Some(citing) = climb.next()? {
                if above.insert(citing.clone()) {
                    climb.above(&citing)?;
                }
                if above.len() > REACH_CLIMB_MAX {
                    return self.least(targets).map(Above::NotBelow);
                }
            }
        }
        Ok(Above::These(above))
    }

    fn least(&self, ids: &BTreeSet<EventId>) -> Result<i64, Fault> {
        ids.iter()
            .try_fold(i64::MAX, |least, id| Ok(least.min(ord(self.view, id)?)))
    }
}

/// The number of a state event. Those without, which were rejected before they had one, lie before all others.
pub(crate) fn ord(view: View<'_>, id: &EventId) -> Result<i64, Fault> {
    let packed = event_ref::pack(id.as_str());
    let sql = "SELECT ord FROM room_events WHERE object = ?1 AND event_id = ?2 UNION ALL \
               SELECT ord FROM room_others WHERE object = ?1 AND event_id = ?2";
    let row = view.turn.row(sql, &[Param::Blob(&packed)])?;
    Ok(row
        .map(|row| row.optional_integer(0))
        .transpose()?
        .flatten()
        .unwrap_or(0))
}

/// The way from an event up to all that have it in their auth chain, newest first, each once.
struct Climb<'a> {
    view: View<'a>,
    queue: BinaryHeap<Next>,
    seen: BTreeSet<EventId>,
}

impl<'a> Climb<'a> {
    fn from(view: View<'a>, id: &EventId) -> Result<Self, Fault> {
        let mut climb = Self {
            view,
            queue: BinaryHeap::new(),
            seen: BTreeSet::new(),
        };
        climb.above(id)?;
        Ok(climb)
    }

    /// Goes on above this event.
    fn above(&mut self, id: &EventId) -> Result<(), Fault> {
        self.read(id.clone(), i64::MAX)
    }

    fn next(&mut self) -> Result<Option<EventId>, Fault> {
        while let Some(next) = self.queue.pop() {
            match next.what {
                What::Event(id) if self.seen.insert(id.clone()) => return Ok(Some(id)),
                What::Event(_) => {}
                What::MoreOf(cited) => self.read(cited, next.ord)?,
            }
        }
        Ok(None)
    }

    /// Reads the next citations of an event, those with numbers below `below`.
    fn read(&mut self, cited: EventId, below: i64) -> Result<(), Fault> {
        let sql = "SELECT ord, citing FROM room_citations WHERE object = ?1 AND cited = ?2 AND ord < ?3 \
                   ORDER BY ord DESC LIMIT ?4";
        let packed = event_ref::pack(cited.as_str());
        let params = [
            Param::Blob(&packed),
            Param::Integer(below.min(selvage_object::INTEGER_MAX)),
            Param::number(CITATIONS_PAGE),
        ];
        let rows = self.view.turn.rows(sql, &params)?;
        let is_last = (rows.len() as u64) < CITATIONS_PAGE;
        let mut lowest = below;
        for mut row in rows {
            lowest = row.integer(0)?;
            let what = What::Event(event_ref::unpack(row.blob(1)?)?);
            self.queue.push(Next { ord: lowest, what });
        }
        if !is_last {
            self.queue.push(Next {
                ord: lowest,
                what: What::MoreOf(cited),
            });
        }
        Ok(())
    }
}
