//! Counts on a running Workers instance.
//!
//! One operation at a time, and nothing else on the instance, so that what the counters gain is what it cost.

use std::{cell::Cell, time::Duration};

use tokio::time::sleep;

use crate::{
    args::Workers,
    clock,
    counts::{Counters, Counts, Operation},
    fault::Fault,
    http::{Connection, Request},
    machine::Machine,
    matrix::{Account, create_room, join_room, message, register, send_path, sync},
    phases::{Pair, send_one},
    report::Report,
    world::{Lane, Reader},
};

/// What is waited for before counters are read, so that work after a response is counted with it.
const SETTLE: Duration = Duration::from_secs(2);

/// The counters of an instance, and what they said of operations so far.
struct Teller<'a> {
    connection: Connection,
    options: &'a Workers,
    counts: Counts,
}

/// Counts what each operation costs.
pub(crate) async fn workers(options: &Workers) -> Result<u64, Fault> {
    let connection = Connection::open(&options.url).await?;
    let mut teller = Teller {
        connection,
        options,
        counts: Counts::default(),
    };
    operations(&mut teller).await?;
    let report = Report::of_counts(Machine::describe(None)?, teller.counts);
    report.publish(options.output.json.as_deref())?;
    Ok(report.failed_requests())
}

/// Two users in one room.
struct Scene {
    connection: Connection,
    writer: Account,
    reader: Reader,
    lane: Lane,
    ids: Cell<u64>,
}

impl Scene {
    async fn set(options: &Workers) -> Result<Self, Fault> {
        let mut connection = Connection::open(&options.url).await?;
        let run = clock::run_number();
        let writer = register(&mut connection, &format!("bench-{run}-writer")).await?;
        let account = register(&mut connection, &format!("bench-{run}-reader")).await?;
        let room = create_room(&mut connection, &writer, &[&account], &options.room_version).await?;
        join_room(&mut connection, &account, &room).await?;
        let lane = Lane {
            token: writer.token.clone(),
            path: send_path(&room),
        };
        let reader = Reader {
            account,
            changing: vec![lane.clone()],
            rooms: 1,
        };
        Ok(Self {
            connection,
            writer,
            reader,
            lane,
            ids: Cell::new(0),
        })
    }

    async fn send(&mut self) -> Result<(), Fault> {
        send_one(&mut self.connection, &self.lane, &self.ids, &message("count")).await
    }

    /// The reader's sync, which does not wait; its token for the next one.
    async fn sync(&mut self, since: Option<&str>) -> Result<String, Fault> {
        let token = &self.reader.account.token;
        Ok(sync(&mut self.connection, token, since, Duration::ZERO, "")
            .await?
            .next_batch)
    }

    async fn create_room(&mut self, version: &str) -> Result<String, Fault> {
        create_room(&mut self.connection, &self.writer, &[], version).await
    }
}

async fn operations(teller: &mut Teller<'_>) -> Result<(), Fault> {
    let version = &teller.options.room_version;
    let mut scene = Scene::set(teller.options).await?;
    teller.count("send", async || scene.send().await).await?;
    let mut pair = Pair::open(&teller.options.url, &scene.reader, &scene.ids).await?;
    teller
        .count("send_and_wake", async || pair.exchange().await.map(drop))
        .await?;
    drop(pair);
    // What the sends left to do is done before the token is taken.
    sleep(SETTLE).await;
    let since = scene.sync(None).await?;
    teller
        .count("idle_sync", async || scene.sync(Some(&since)).await.map(drop))
        .await?;
    // Every repetition asks for the same single change, since a token stays good when it is used again.
    scene.send().await?;
    teller
        .count("incremental_sync", async || {
            scene.sync(Some(&since)).await.map(drop)
        })
        .await?;
    teller
        .count("initial_sync", async || scene.sync(None).await.map(drop))
        .await?;
    teller
        .count("create_room", async || scene.create_room(version).await.map(drop))
        .await
}

impl Teller<'_> {
    async fn count(
        &mut self,
        name: &str,
        mut operation: impl AsyncFnMut() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        eprintln!("{}: {name}", self.options.url);
        let before = self.read().await?;
        for _ in 0..self.options.repetitions {
            operation().await?;
        }
        let after = self.read().await?;
        let counted = Operation::between(&before, &after, self.options.repetitions)?;
        self.counts.0.insert(name.to_owned(), counted);
        Ok(())
    }

    async fn read(&mut self) -> Result<Counters, Fault> {
        sleep(SETTLE).await;
        let what = &self.options.counts;
        let response = self.connection.call(&Request::get(what, None)).await?;
        match response.status {
            200 => serde_json::from_slice(response.body).map_err(|source| Fault::Json {
                what: what.clone(),
                source,
            }),
            status => Err(Fault::refused(what, status, response.body)),
        }
    }
}
