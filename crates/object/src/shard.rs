//! The turn loop: one database, one thread of control, some objects.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::value::RawValue;

use crate::dispatch::{Dispatcher, OUTBOX_ROWS_MAX};
use crate::loaded::{Cache, Loaded};
use crate::migrate::{self, OpenError};
use crate::object::{Erased, Memory};
use crate::outbox::{self, Queued};
use crate::turn::Effects;
use crate::{
    Delivery, Failure, Fault, Migration, Moment, ObjectKey, Placement, Random, Receipt, Refusal, Registry,
    ShardId, Sql, SqlFault, Storage, Tell, Timestamp, Turn, timers,
};

/// While something is undelivered, the shard asks to be woken at least so often, in milliseconds: a delivery whose answer
/// was lost is sent again then.
pub const REDELIVERY_CHECK_MS: u64 = 30_000;
/// How many rung timers are handled in one call.
const TIMERS_PER_CALL_MAX: u64 = 64;
/// A timer whose handling failed rings again after so many milliseconds.
const TIMER_RETRY_MS: u64 = 60_000;

/// What a shard may use.
#[derive(Clone, Copy, Debug)]
pub struct ShardLimits {
    /// The most bytes of objects' memories kept between turns.
    pub loaded_bytes_max: usize,
}

/// Somebody watches an object that has a new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The object.
    pub key: ObjectKey,
    /// Its version now.
    pub version: u64,
}

/// A workflow that an object started.
#[derive(Clone, Debug)]
pub struct Started {
    /// The object.
    pub by: ObjectKey,
    /// What to do, as JSON.
    pub workflow: Box<RawValue>,
}

/// What came of an input. Nothing of it may leave the shard before its writes are durable.
#[derive(Debug)]
pub struct Outcome {
    /// The reply as JSON, or why there is none.
    pub reply: Result<Vec<u8>, Failure>,
    /// Watchers to wake.
    pub wakes: Vec<Wake>,
    /// What may be lost on the way: the host sends each to its shard once, does not wait, and drops it on any trouble.
    pub hints: Vec<Delivery>,
    /// Tells that were refused: their senders are not told, the host logs them.
    pub refused: Vec<(ObjectKey, Refusal)>,
    /// Workflows to run beside the shard.
    pub started: Vec<Started>,
}

impl Outcome {
    const fn new() -> Self {
        Self {
            reply: Ok(Vec::new()),
            wakes: Vec::new(),
            hints: Vec::new(),
            refused: Vec::new(),
            started: Vec::new(),
        }
    }
}

/// One shard: the objects of one database.
///
/// The host calls it from one thread, makes its writes durable, and only then sends replies, wakes watchers and carries
/// out [`Shard::take_deliveries`]. After an error of the host's own commit it drops the shard and opens it anew.
pub struct Shard<S> {
    storage: S,
    registry: Registry,
    placement: Placement,
    cache: Cache,
    dispatcher: Dispatcher,
    next_number: i64,
    /// See [`Turn::version_floor`].
    version_floor: u64,
    last_seq: u64,
    earliest_timer: Option<Timestamp>,
}

enum Input<'a> {
    Command(&'a [u8]),
    Timer(&'a str),
    Version,
}

struct Done {
    reply: Vec<u8>,
    effects: Effects,
    queued: Vec<Queued>,
    /// The earliest timer of the shard, when the turn changed timers.
    earliest_timer: Option<Option<Timestamp>>,
    wrote: bool,
}

impl<S: Storage> Shard<S> {
    /// Opens a shard over its database: brings schemas up to date and takes up what was left undelivered.
    ///
    /// # Errors
    /// When the data are of a newer version or damaged, or the database fails.
    pub fn open(
        storage: S,
        registry: Registry,
        placement: Placement,
        limits: ShardLimits,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let mut shard = Self {
            storage,
            registry,
            placement,
            cache: Cache::new(limits.loaded_bytes_max),
            dispatcher: Dispatcher::default(),
            next_number: 1,
            version_floor: 0,
            // Numbers rise over restarts as long as the clock does, so a late receipt never names another tell.
            last_seq: now.0.saturating_mul(1_000),
            earliest_timer: None,
        };
        shard.migrate()?;
        shard.wake_up()?;
        Ok(shard)
    }

    fn migrate(&self) -> Result<(), OpenError> {
        migrate::prepare(self.storage.sql())?;
        let own: [(&'static str, &[Migration]); 2] = [("outbox", outbox::SCHEMA), ("timers", timers::SCHEMA)];
        let kinds = self
            .registry
            .iter()
            .map(|(kind, object)| (kind.name(), object.schema()));
        own.into_iter()
            .chain(kinds)
            .try_for_each(|(name, steps)| migrate::migrate(&self.storage, name, steps))
    }

    fn wake_up(&mut self) -> Result<(), OpenError> {
        let sql = self.storage.sql();
        self.next_number = outbox::next_number(sql)?;
        self.earliest_timer = timers::earliest(sql)?;
        for queued in outbox::waiting(sql, self.placement)? {
            self.last_seq = self.last_seq.max(queued.seq);
            self.dispatcher.add(queued);
        }
        Ok(())
    }

    /// The storage, for the host's own use between turns.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// The shard's objects leave memory; each is loaded anew when it is next needed.
    pub fn forget_memory(&mut self) {
        self.cache.clear();
    }

    /// Gives one command to one object.
    pub fn ask(&mut self, moment: Moment, to: &ObjectKey, command: &[u8]) -> Outcome {
        self.one(moment, to, &Input::Command(command))
    }

    /// The version of an object, for those who watch it; nothing is written.
    ///
    /// # Errors
    /// When the object cannot be loaded.
    pub fn version(&mut self, moment: Moment, of: &ObjectKey) -> Result<u64, Failure> {
        let done = self.turn(moment, of, &Input::Version)?;
        let bytes: [u8; 8] = done.reply.try_into().unwrap_or_default();
        Ok(u64::from_be_bytes(bytes))
    }

    fn one(&mut self, moment: Moment, to: &ObjectKey, input: &Input<'_>) -> Outcome {
        let mut outcome = Outcome::new();
        outcome.reply = self.turn(moment, to, input).map(|done| {
            outcome.hints = self.hints(to, &done.effects.hints);
            outcome.wakes.extend(done.effects.wake.map(|version| Wake {
                key: to.clone(),
                version,
            }));
            outcome.started = started(to, done.effects.started);
            done.reply
        });
        outcome
    }

    fn hints(&self, from: &ObjectKey, hints: &[(Vec<ObjectKey>, Box<RawValue>)]) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for (recipients, message) in hints {
            let mut by_shard: BTreeMap<ShardId, Vec<ObjectKey>> = BTreeMap::new();
            for to in recipients {
                by_shard
                    .entry(self.placement.shard_of(to))
                    .or_default()
                    .push(to.clone());
            }
            deliveries.extend(by_shard.into_iter().map(|(shard, to)| Delivery {
                from: from.clone(),
                from_number: 0,
                shard,
                tells: vec![Tell {
                    seq: 0,
                    to,
                    message: message.clone(),
                }],
            }));
        }
        deliveries
    }

    /// Takes a delivery of another shard, or of this one: one turn for each recipient of each tell, in order.
    ///
    /// Its reply is empty. When it is a failure the sender delivers all of it again, so recipients see some tells twice.
    pub fn deliver(&mut self, moment: Moment, delivery: &Delivery) -> Outcome {
        let mut outcome = Outcome::new();
        let mut random = Random::new(moment.seed);
        for tell in &delivery.tells {
            for to in &tell.to {
                let moment = Moment {
                    now: moment.now,
                    seed: random.bytes(),
                };
                let turn = self.one(moment, to, &Input::Command(tell.message.get().as_bytes()));
                outcome.wakes.extend(turn.wakes);
                outcome.hints.extend(turn.hints);
                outcome.started.extend(turn.started);
                match turn.reply {
                    Ok(_) => {}
                    Err(Failure::Refusal(refusal)) => outcome.refused.push((to.clone(), refusal)),
                    Err(fault) => {
                        outcome.reply = Err(fault);
                        return outcome;
                    }
                }
            }
        }
        outcome
    }

    /// Handles timers that have rung, some of them: [`Shard::next_due`] tells whether more wait.
    ///
    /// # Errors
    /// When the database fails. A timer whose handling fails is put off instead, and named in the outcome's `refused`.
    pub fn ring_timers(&mut self, moment: Moment) -> Result<Outcome, Fault> {
        let mut outcome = Outcome::new();
        let mut random = Random::new(moment.seed);
        for rung in timers::rung(self.storage.sql(), moment.now, TIMERS_PER_CALL_MAX)? {
            // A timer before it may have stopped it or set it anew.
            if !timers::is_due(self.storage.sql(), &rung, moment.now)? {
                continue;
            }
            let moment = Moment {
                now: moment.now,
                seed: random.bytes(),
            };
            let turn = self.one(moment, &rung.key, &Input::Timer(&rung.name));
            outcome.wakes.extend(turn.wakes);
            outcome.hints.extend(turn.hints);
            outcome.started.extend(turn.started);
            if let Err(failure) = turn.reply {
                let message = format!("timer {}: {failure}", rung.name);
                outcome
                    .refused
                    .push((rung.key.clone(), Refusal::new("M_UNKNOWN", message)));
                timers::postpone(self.storage.sql(), &rung, moment.now.plus_ms(TIMER_RETRY_MS))?;
            }
        }
        self.earliest_timer = timers::earliest(self.storage.sql())?;
        Ok(outcome)
    }

    /// The deliveries that may leave, once the writes so far are durable. Each must be answered by
    /// [`Shard::delivered`] or [`Shard::not_delivered`].
    ///
    /// # Errors
    /// When the database fails.
    pub fn take_deliveries(&mut self, now: Timestamp) -> Result<Vec<Delivery>, Fault> {
        let sql = self.storage.sql();
        let ready = self.dispatcher.take_ready(now).into_iter();
        ready
            .map(|ready| {
                let read =
                    |seq| outbox::read(sql, self.placement, ready.number, seq, &ready.shard).transpose();
                let tells = ready
                    .seqs
                    .iter()
                    .copied()
                    .filter_map(read)
                    .collect::<Result<_, _>>()?;
                let from = outbox::key_of(sql, ready.number)?;
                Ok(Delivery {
                    from,
                    from_number: ready.number,
                    shard: ready.shard,
                    tells,
                })
            })
            .collect()
    }

    /// A delivery is durable at its receiver: forgets it.
    ///
    /// # Errors
    /// When the database fails; the rows are then delivered again after the next start.
    pub fn delivered(&mut self, receipt: &Receipt) -> Result<(), Fault> {
        let finished = self.dispatcher.succeeded(receipt);
        self.forget(receipt, &finished)
    }

    /// A delivery did not reach its receiver, or failed there: it is tried again after a pause. `busy` says that the
    /// receiver was merely overloaded. Returns how many tells were given up and set aside.
    ///
    /// # Errors
    /// When the database fails.
    pub fn not_delivered(&mut self, receipt: &Receipt, now: Timestamp, busy: bool) -> Result<usize, Fault> {
        let hopeless = self.dispatcher.failed(receipt, now, busy);
        if hopeless.is_empty() {
            return Ok(0);
        }
        for seq in &hopeless {
            outbox::set_aside(self.storage.sql(), receipt.from_number, *seq, &receipt.shard)?;
        }
        let finished = self.dispatcher.set_aside(receipt);
        self.forget(receipt, &finished)?;
        Ok(hopeless.len())
    }

    fn forget(&self, receipt: &Receipt, seqs: &[u64]) -> Result<(), Fault> {
        seqs.iter()
            .try_for_each(|seq| Ok(outbox::delete(self.storage.sql(), receipt.from_number, *seq)?))
    }

    /// How many tells nobody has acknowledged yet.
    #[must_use]
    pub fn undelivered(&self) -> usize {
        self.dispatcher.rows()
    }

    /// Keeps back until `until` what [`Shard::take_deliveries`] would hand out now, and what is told to the same shards
    /// later: for a host that may not have survived the last try.
    pub fn put_off_deliveries(&mut self, until: Timestamp) {
        self.dispatcher.put_off(until);
    }

    /// When the earliest timer rings.
    #[must_use]
    pub const fn first_timer(&self) -> Option<Timestamp> {
        self.earliest_timer
    }

    /// Puts the earliest timer off, if it has rung, as if its handling had failed: for a host that did not survive it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put_off_first_timer(&mut self, now: Timestamp) -> Result<(), Fault> {
        let sql = self.storage.sql();
        if let Some(rung) = timers::first_rung(sql, now)? {
            timers::postpone(sql, &rung, now.plus_ms(TIMER_RETRY_MS))?;
        }
        self.earliest_timer = timers::earliest(sql)?;
        Ok(())
    }

    /// When the host must next call [`Shard::ring_timers`] and [`Shard::take_deliveries`], if nothing else happens.
    #[must_use]
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let recheck = (self.dispatcher.rows() > 0).then(|| now.plus_ms(REDELIVERY_CHECK_MS));
        [self.earliest_timer, self.dispatcher.next_retry(), recheck]
            .into_iter()
            .flatten()
            .min()
    }

    /// Reads the shard's database and returns what is wrong with it, a line each; see [`crate::check`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn check(&self) -> Result<Vec<String>, SqlFault> {
        crate::check(self.storage.sql(), &self.registry)
    }

    /// The shard that houses an object.
    pub fn shard_of(&self, key: &ObjectKey) -> ShardId {
        self.placement.shard_of(key)
    }

    fn turn(&mut self, moment: Moment, key: &ObjectKey, input: &Input<'_>) -> Result<Done, Failure> {
        let object = self.registry.get(key.kind()).ok_or_else(|| unknown_kind(key))?;
        let mut loaded = self.cache.take(key);
        let was_kept = loaded.is_some();
        let mut wrote = false;
        let mut result = None;
        let mut seq = self.last_seq;
        let context = Context {
            placement: self.placement,
            backlog: self.dispatcher.rows(),
            next: self.next_number,
            version_floor: self.version_floor,
        };
        let settled = self.storage.atomically(&mut |sql| {
            let ran = context.run(
                sql,
                object,
                (&mut loaded, &mut seq, &mut wrote),
                moment,
                key,
                input,
            );
            result = Some(ran?);
            Ok(())
        });
        let changed = loaded.as_mut().is_some_and(|loaded| loaded.memory.take_changed());
        let done = match (settled, result) {
            (Ok(()), Some(done)) => done,
            (settled, _) => {
                if !wrote && !changed {
                    self.keep(key, loaded.filter(|loaded| was_kept || loaded.exists));
                }
                return Err(settled
                    .err()
                    .unwrap_or_else(|| Fault::corrupt("the savepoint did not run").into()));
            }
        };
        self.last_seq = seq;
        self.settle(key, loaded, was_kept || changed, &done);
        Ok(self.dispatch(done))
    }

    /// Brings the shard's own memory in step with a turn that succeeded.
    fn settle(&mut self, key: &ObjectKey, mut loaded: Option<Loaded>, keep: bool, done: &Done) {
        if let Some(loaded) = loaded.as_mut()
            && done.wrote
            && !loaded.exists
        {
            loaded.exists = true;
            self.next_number = self.next_number.max(loaded.number + 1);
        }
        self.keep(key, loaded.filter(|loaded| keep || loaded.exists));
    }

    fn dispatch(&mut self, mut done: Done) -> Done {
        for queued in done.queued.drain(..) {
            self.dispatcher.add(queued);
        }
        if let Some(earliest) = done.earliest_timer {
            self.earliest_timer = earliest;
        }
        done
    }

    /// Keeps the memory of an object: of one that exists, and of one without rows when a turn changed it.
    fn keep(&mut self, key: &ObjectKey, loaded: Option<Loaded>) {
        let Some(mut loaded) = loaded else {
            return;
        };
        let Some(object) = self.registry.get(key.kind()) else {
            return;
        };
        if let Ok(version) = guarded(|| Ok(object.version(loaded.memory.as_mut())?)) {
            self.version_floor = self.version_floor.max(version);
        }
        // Memory whose size nobody can tell is not kept; the turn before it stands.
        if let Ok(bytes) = guarded(|| Ok(object.memory_bytes(loaded.memory.as_mut())?)) {
            self.cache.put(key.clone(), loaded, bytes);
        }
    }
}

fn started(by: &ObjectKey, workflows: Vec<Box<RawValue>>) -> Vec<Started> {
    let started = |workflow| Started {
        by: by.clone(),
        workflow,
    };
    workflows.into_iter().map(started).collect()
}

fn unknown_kind(key: &ObjectKey) -> Refusal {
    Refusal::new(
        "M_UNRECOGNIZED",
        format!("this shard houses no {}", key.kind().name()),
    )
}

/// What a turn needs of its shard.
struct Context {
    placement: Placement,
    backlog: usize,
    next: i64,
    version_floor: u64,
}

impl Context {
    fn run(
        &self,
        sql: &dyn Sql,
        object: &dyn Erased,
        (loaded, seq, wrote): (&mut Option<Loaded>, &mut u64, &mut bool),
        moment: Moment,
        key: &ObjectKey,
        input: &Input<'_>,
    ) -> Result<Done, Failure> {
        let loaded = match loaded {
            Some(loaded) => loaded,
            none => none.insert(self.load(sql, object, moment, key)?),
        };
        if !loaded.exists {
            // Another object may have come to be under the number that this one would have had.
            loaded.number = self.next;
        }
        let mut turn = Turn::new(sql, key, loaded.number, loaded.exists, moment, self.version_floor);
        let handled = guarded(|| handle(object, loaded.memory.as_mut(), &mut turn, input));
        *wrote = turn.rows_written() > 0;
        let reply = handled?;
        let effects = std::mem::take(&mut turn.effects);
        if !effects.tells.is_empty() && self.backlog >= OUTBOX_ROWS_MAX {
            return Err(Fault::Backlog.into());
        }
        if !effects.tells.is_empty() && !turn.exists() {
            return Err(Fault::corrupt("an object without rows told something").into());
        }
        let queued = outbox::write(sql, self.placement, loaded.number, seq, &effects.tells)?;
        let earliest_timer = effects.timers_changed.then(|| timers::earliest(sql));
        Ok(Done {
            reply,
            effects,
            queued,
            earliest_timer: earliest_timer.transpose()?,
            wrote: *wrote,
        })
    }

    fn load(
        &self,
        sql: &dyn Sql,
        object: &dyn Erased,
        moment: Moment,
        key: &ObjectKey,
    ) -> Result<Loaded, Failure> {
        let found = outbox::number_of(sql, key)?;
        let (number, exists) = (found.unwrap_or(self.next), found.is_some());
        let turn = Turn::new(sql, key, number, exists, moment, self.version_floor);
        let memory: Box<dyn Memory> = guarded(|| Ok(object.load(&turn)?))?;
        Ok(Loaded {
            number,
            exists,
            memory,
        })
    }
}

fn handle(
    object: &dyn Erased,
    memory: &mut dyn Memory,
    turn: &mut Turn<'_>,
    input: &Input<'_>,
) -> Result<Vec<u8>, Failure> {
    match input {
        Input::Command(command) => object.handle(memory, turn, command),
        Input::Version => Ok(object.version(memory)?.to_be_bytes().to_vec()),
        Input::Timer(name) => {
            turn.stop_timer(name)?;
            object.ring(memory, turn, name)?;
            Ok(Vec::new())
        }
    }
}

/// Runs object code; a panic in it fails this turn alone.
///
/// Where panics abort (wasm) this catches nothing, and the host's savepoint undoes the turn instead.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Fault::Panicked(text.unwrap_or_default()).into())
    })
}
