//! What a server is filled with before the load: accounts, rooms for messages, and two users who sync.

use std::cell::Cell;

use serde::Serialize;

use crate::{
    args::Plan,
    clock,
    fan_out::{Batch, fan_out},
    fault::Fault,
    figures::{Figures, Unit},
    http::Address,
    matrix::{Account, create_room, join_room, register, send_path},
    stats::{float, quotient},
};

/// Requests in flight while a server is filled.
const FILL_IN_FLIGHT: usize = 8;
/// How many of a syncing user's rooms the other user writes into; the rest stays as it is.
pub(crate) const CHANGING_ROOMS: usize = 10;

/// A running server under load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// Where it listens.
    pub(crate) address: &'a Address,
    /// Its process, if it is known.
    pub(crate) pid: Option<u32>,
}

/// One room and who writes into it.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// The writer's access token.
    pub(crate) token: String,
    /// Path of a send, up to the transaction id.
    pub(crate) path: String,
}

/// A user with many or few rooms, and somebody who writes into some of them.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Who syncs.
    pub(crate) account: Account,
    /// Rooms that change, with the writer's token.
    pub(crate) changing: Vec<Lane>,
    /// How many rooms the user is in.
    pub(crate) rooms: usize,
}

/// What a server was filled with.
#[derive(Debug)]
pub(crate) struct World {
    /// Rooms of two members, for messages.
    pub(crate) lanes: Vec<Lane>,
    /// A user in many rooms.
    pub(crate) wide: Reader,
    /// A user in [`CHANGING_ROOMS`] rooms.
    pub(crate) narrow: Reader,
    /// Who creates rooms that nobody uses.
    pub(crate) hoarder: Account,
    /// The last transaction id that was used.
    pub(crate) ids: Cell<u64>,
    /// How much there is.
    pub(crate) size: Size,
}

/// How much a server holds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Size {
    /// Registered accounts.
    pub(crate) accounts: usize,
    /// Rooms.
    pub(crate) rooms: usize,
}

/// Fills a server through its public API, and records how fast it took accounts, rooms and joins.
pub(crate) async fn fill(target: Target<'_>, plan: &Plan, figures: &mut Figures) -> Result<World, Fault> {
    let run = clock::run_number();
    let server = (target.address, target.pid);
    // Three more: the two readers and the writer of their rooms.
    let count = plan.users.max(2) + 3;
    let accounts = fan_out(server, count, FILL_IN_FLIGHT, async |connection, index| {
        register(connection, &format!("bench-{run}-{index}")).await
    });
    let accounts = record("register", accounts.await?, figures);
    let [wide, narrow, writer, members @ ..] = accounts.as_slice() else {
        return Err(Fault::Usage("too few accounts".to_owned()));
    };
    let lanes = chat_rooms(target, plan, members, figures).await?;
    let wide = reader(target, plan, (wide, writer), plan.sync_rooms).await?;
    let narrow = reader(target, plan, (narrow, writer), CHANGING_ROOMS).await?;
    let size = Size {
        accounts: count,
        rooms: lanes.len() + wide.rooms + narrow.rooms,
    };
    Ok(World {
        lanes,
        wide,
        narrow,
        hoarder: writer.clone(),
        ids: Cell::new(0),
        size,
    })
}

/// Creates `count` rooms with nobody but their creator.
pub(crate) async fn hoard(
    target: Target<'_>,
    plan: &Plan,
    hoarder: &Account,
    count: usize,
) -> Result<(), Fault> {
    let server = (target.address, target.pid);
    fan_out(server, count, FILL_IN_FLIGHT, async |connection, _| {
        create_room(connection, hoarder, &[], &plan.room_version).await
    })
    .await
    .map(drop)
}

/// Rooms of two: each is created by one account, and the next one joins.
async fn chat_rooms(
    target: Target<'_>,
    plan: &Plan,
    members: &[Account],
    figures: &mut Figures,
) -> Result<Vec<Lane>, Fault> {
    let server = (target.address, target.pid);
    let pairs: Vec<(&Account, &Account)> = members.iter().zip(members.iter().cycle().skip(1)).collect();
    let pairs: Vec<_> = pairs.into_iter().cycle().take(plan.rooms).collect();
    let rooms = fan_out(server, pairs.len(), FILL_IN_FLIGHT, async |connection, index| {
        let (owner, guest) = pair(&pairs, index)?;
        create_room(connection, owner, &[guest], &plan.room_version).await
    });
    let rooms = record("create_room", rooms.await?, figures);
    let joins = fan_out(server, rooms.len(), FILL_IN_FLIGHT, async |connection, index| {
        let (_, guest) = pair(&pairs, index)?;
        join_room(connection, guest, rooms.get(index).map_or("", String::as_str)).await
    });
    record("join", joins.await?, figures);
    Ok(pairs
        .iter()
        .zip(&rooms)
        .map(|((owner, _), room)| lane(owner, room))
        .collect())
}

fn pair<'a>(pairs: &[(&'a Account, &'a Account)], index: usize) -> Result<(&'a Account, &'a Account), Fault> {
    pairs
        .get(index)
        .copied()
        .ok_or_else(|| Fault::Usage("no such pair".to_owned()))
}

/// `account` creates its rooms; `writer` joins the first few of them.
async fn reader(
    target: Target<'_>,
    plan: &Plan,
    (account, writer): (&Account, &Account),
    count: usize,
) -> Result<Reader, Fault> {
    let server = (target.address, target.pid);
    let batch = fan_out(server, count, FILL_IN_FLIGHT, async |connection, index| {
        let invited: &[&Account] = if index < CHANGING_ROOMS { &[writer] } else { &[] };
        let room = create_room(connection, account, invited, &plan.room_version).await?;
        if index < CHANGING_ROOMS {
            join_room(connection, writer, &room).await?;
        }
        Ok(room)
    });
    let rooms = batch.await?.results;
    let changing = rooms
        .iter()
        .take(CHANGING_ROOMS)
        .map(|room| lane(writer, room))
        .collect();
    Ok(Reader {
        account: account.clone(),
        changing,
        rooms: rooms.len(),
    })
}

fn lane(writer: &Account, room_id: &str) -> Lane {
    Lane {
        token: writer.token.clone(),
        path: send_path(room_id),
    }
}

fn record<T>(key: &str, batch: Batch<T>, figures: &mut Figures) -> Vec<T> {
    let count = float(batch.results.len());
    figures.record_some(
        format!("{key}.rate"),
        Unit::PerSecond,
        quotient(count, batch.usage.seconds),
    );
    let cpu = batch
        .usage
        .server_micros
        .and_then(|micros| quotient(micros, count));
    figures.record_some(format!("{key}.server_cpu"), Unit::CpuMicros, cpu);
    batch.results
}
