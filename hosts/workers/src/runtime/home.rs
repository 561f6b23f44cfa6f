//! One Durable Object: the home of one shard.
//!
//! An input is handled without an await between its first statement and its last effect, so that no other input comes in
//! between, its writes and the alarm that goes with them are one transaction, and the runtime's output gate holds back
//! everything that left until that transaction is durable.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use selvage_object::{Failure, Fault, OpenError, Refusal, Shard, ShardId, ShardLimits, Storage};
use selvage_protocol::errcode;
use worker::{Env, State};

use super::foundation::Foundation;
use super::moment::now;
use super::recovery::Recovery;
use super::storage::DoStorage;
use super::{alarm::Armed, variable};
use crate::class::Class;
use crate::config::Deployment;
use crate::slots::{Slot, Slots};
use crate::wire::Reply;

/// The most bytes of objects' memories kept in one shard between turns; an isolate houses many shards in 128 MB.
const LOADED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A Durable Object's state and what belongs to it.
pub(crate) struct Home {
    pub(super) state: State,
    pub(super) env: Env,
    pub(super) class: Class,
    pub(super) id: ShardId,
    pub(super) alarm: Cell<Armed>,
    pub(super) recovery: Recovery,
    questions: Slots<()>,
    shard: RefCell<Option<Shard<DoStorage>>>,
    foundation: RefCell<Option<Ground>>,
}

#[derive(Clone)]
struct Ground {
    foundation: Rc<Foundation>,
    stored: bool,
}

impl Home {
    /// The home of the shard that the Durable Object is named after. Nothing is read yet.
    pub(crate) fn new(state: State, env: Env, class: Class) -> Rc<Self> {
        let id = ShardId::new(state.id().name().unwrap_or_default());
        Rc::new(Self {
            state,
            env,
            class,
            id,
            alarm: Cell::new(Armed::Unknown),
            recovery: Recovery::default(),
            questions: Slots::default(),
            shard: RefCell::new(None),
            foundation: RefCell::new(None),
        })
    }

    /// Takes one of the places for inputs that wait; `None` when all are taken.
    pub(super) fn enter(&self) -> Option<Slot<()>> {
        self.questions.take(())
    }

    pub(super) fn storage(&self) -> DoStorage {
        DoStorage::new(&self.state, self.class)
    }

    /// Brings together what opening the shard needs. Everything that has to be awaited is awaited here.
    pub(super) async fn prepare(&self) -> Result<(), Reply> {
        if self.shard.borrow().is_some() {
            return Ok(());
        }
        let deployment = self.deployment()?;
        let ground = self.ground(&deployment).await?;
        let checked = deployment.check(ground.foundation.deployment());
        checked.map_err(|error| Reply::Refused(Refusal::new(errcode::INVALID_PARAM, error.to_string())))?;
        if ground.stored {
            self.learn_alarm().await?;
        } else {
            self.alarm.set(Armed::Not);
        }
        *self.foundation.borrow_mut() = Some(ground);
        Ok(())
    }

    pub(super) fn deployment(&self) -> Result<Deployment, Reply> {
        Deployment::read(|name| variable(&self.env, name))
            .map_err(|error| Reply::Unavailable(error.to_string()))
    }

    async fn ground(&self, deployment: &Deployment) -> Result<Ground, Reply> {
        let stored = Foundation::stored(self.storage().sql()).map_err(unavailable)?;
        let (foundation, stored) = match stored {
            Some(foundation) => (foundation, true),
            None => (Foundation::ask(&self.env, self.class, deployment).await?, false),
        };
        Ok(Ground {
            foundation: Rc::new(foundation),
            stored,
        })
    }

    /// Hands the shard to `work`, opening it when it is not open; [`Home::prepare`] has gone before.
    ///
    /// # Errors
    /// When the shard cannot be opened.
    pub(super) fn with_shard<R>(&self, work: impl FnOnce(&mut Shard<DoStorage>) -> R) -> Result<R, Failure> {
        let mut slot = self.shard.borrow_mut();
        if let Some(shard) = slot.as_mut() {
            return Ok(work(shard));
        }
        let ground = self.foundation.borrow().clone();
        let ground = ground.ok_or_else(|| Fault::corrupt("a shard without foundation"))?;
        if ground.stored {
            let mut shard = self.open(&ground.foundation)?;
            self.take_stock(&mut shard)?;
            return Ok(work(slot.insert(shard)));
        }
        let (result, born) = self.first_input(&ground.foundation, work)?;
        if born.is_some() {
            *slot = born;
            *self.foundation.borrow_mut() = Some(Ground {
                stored: true,
                ..ground
            });
        }
        Ok(result)
    }

    /// Runs the first input of a new shard, of which nothing stays unless an object comes to be: asking for what does not
    /// exist must leave no database behind.
    fn first_input<R>(
        &self,
        foundation: &Foundation,
        work: impl FnOnce(&mut Shard<DoStorage>) -> R,
    ) -> Result<(R, Option<Shard<DoStorage>>), Failure> {
        let (mut work, mut result, mut born) = (Some(work), None, None);
        let settled = self.storage().atomically(&mut |sql| {
            let mut shard = self.open(foundation)?;
            result = work.take().map(|work| work(&mut shard));
            if !has_objects(sql)? {
                return Err(Fault::corrupt("nothing came to be").into());
            }
            foundation.store(sql)?;
            born = Some(shard);
            Ok(())
        });
        match (settled, result, born) {
            (Ok(()), Some(result), born) => Ok((result, born)),
            (Err(_), Some(result), None) => Ok((result, None)),
            (settled, ..) => Err(settled
                .err()
                .unwrap_or_else(|| Fault::corrupt("the savepoint did not run").into())),
        }
    }

    fn open(&self, foundation: &Foundation) -> Result<Shard<DoStorage>, Fault> {
        let registry = foundation.registry(self.class)?;
        let limits = ShardLimits {
            loaded_bytes_max: LOADED_BYTES_MAX,
        };
        let placement = foundation.deployment().placement();
        Shard::open(self.storage(), registry, placement, limits, now()).map_err(|error| match error {
            OpenError::Fault(fault) => fault,
            OpenError::Newer { .. } => Fault::corrupt(error.to_string()),
        })
    }

    /// Whether the shard is open, that is: whether it has anything to do by itself.
    pub(super) fn is_open(&self) -> bool {
        self.shard.borrow().is_some()
    }

    /// What lives in memory is let go; the next input reads it anew.
    #[cfg(feature = "conformance")]
    pub(super) fn forget(&self) {
        *self.shard.borrow_mut() = None;
        *self.foundation.borrow_mut() = None;
        self.alarm.set(Armed::Unknown);
    }
}

fn has_objects(sql: &dyn selvage_object::Sql) -> Result<bool, selvage_object::SqlFault> {
    let mut some = false;
    sql.run("SELECT object FROM objects LIMIT 1", &[], &mut |_| {
        some = true;
        Ok(())
    })?;
    Ok(some)
}

/// What an input is answered whose shard is broken.
pub(super) fn unavailable(fault: Fault) -> Reply {
    Reply::from(Failure::Fault(fault))
}
