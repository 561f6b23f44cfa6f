//! A server under test that this tool started, from its first start to its last.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    args::Plan,
    clock::milliseconds,
    fault::Fault,
    figures::Unit,
    phases::{Phase, Record},
    proc,
    report::ServerReport,
    server::{Program, Running},
    world::{self, Size, Target, World},
};

/// How often a start is timed.
const STARTS: usize = 3;
/// What a server is left alone before its memory is read.
const REST: Duration = Duration::from_secs(3);

/// A server under test.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    program: Program,
    plan: &'a Plan,
    running: Running,
    record: Record,
    world: Option<World>,
}

impl<'a> Subject<'a> {
    /// Starts the server often enough to time it with an empty database, and reads its idle memory.
    pub(crate) async fn start(program: Program, plan: &'a Plan) -> Result<Self, Fault> {
        eprintln!("{}: {}, starting", program.name, program.version);
        let mut record = Record::default();
        let (first, duration) = program.start().await?;
        record
            .figures
            .record("start.first", Unit::Milliseconds, milliseconds(duration));
        let running = time_starts(&program, first, "start.empty", &mut record).await?;
        sleep(REST).await;
        record
            .figures
            .record("memory.idle", Unit::Bytes, proc::memory(running.pid)?.resident);
        Ok(Self {
            program,
            plan,
            running,
            record,
            world: None,
        })
    }

    /// Fills it.
    pub(crate) async fn fill(&mut self) -> Result<(), Fault> {
        eprintln!("{}: filling", self.program.name);
        let target = Target {
            address: &self.program.address,
            pid: Some(self.running.pid),
        };
        self.world = Some(world::fill(target, self.plan, &mut self.record.figures).await?);
        Ok(())
    }

    /// Loads it for one phase.
    pub(crate) async fn run(&mut self, phase: Phase) -> Result<(), Fault> {
        let target = Target {
            address: &self.program.address,
            pid: Some(self.running.pid),
        };
        match &self.world {
            Some(world) => phase.run(target, self.plan, world, &mut self.record).await,
            None => Ok(()),
        }
    }

    /// Reads its memory after the load, times its start with at least `disk_rooms` rooms, and stops it.
    pub(crate) async fn finish(mut self, disk_rooms: usize) -> Result<ServerReport, Fault> {
        sleep(REST).await;
        let memory = proc::memory(self.running.pid)?;
        self.record
            .figures
            .record("memory.loaded", Unit::Bytes, memory.resident);
        self.record
            .figures
            .record("memory.peak", Unit::Bytes, memory.peak);
        let rooms = self.hoard(disk_rooms).await?;
        let running = time_starts(&self.program, self.running, "start.loaded", &mut self.record).await?;
        running.stop().await?;
        Ok(ServerReport {
            name: self.program.name.to_owned(),
            version: self.program.version,
            size: self.world.as_ref().map_or(Size::default(), |world| world.size),
            rooms_at_last_start: rooms,
            figures: self.record.figures,
            errors: self.record.errors,
        })
    }

    /// Creates rooms until there are `disk_rooms`, and returns how many there are.
    async fn hoard(&self, disk_rooms: usize) -> Result<usize, Fault> {
        let Some(world) = &self.world else { return Ok(0) };
        let missing = disk_rooms.saturating_sub(world.size.rooms);
        eprintln!("{}: {missing} more rooms, and the last starts", self.program.name);
        let target = Target {
            address: &self.program.address,
            pid: Some(self.running.pid),
        };
        world::hoard(target, self.plan, &world.hoarder, missing).await?;
        Ok(world.size.rooms + missing)
    }
}

/// Stops and starts the server a few times and leaves it running.
async fn time_starts(
    program: &Program,
    mut running: Running,
    key: &str,
    record: &mut Record,
) -> Result<Running, Fault> {
    for _ in 0..STARTS {
        running.stop().await?;
        let (again, duration) = program.start().await?;
        record
            .figures
            .record(key, Unit::Milliseconds, milliseconds(duration));
        running = again;
    }
    Ok(running)
}
