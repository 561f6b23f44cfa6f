//! The commands.

mod compare;
mod load;
mod subject;
mod workers;

use std::{cell::Cell, time::Duration};

use crate::{
    args::{Command, Plan, Times},
    echo::Echo,
    fault::Fault,
    figures::{Figures, Unit},
    phases::{Record, send},
    stats::quotient,
    world::{Lane, Target},
};

/// How long the generator is measured against nothing, with each number of requests in flight.
const CALIBRATION: Times = Times {
    warm_up: Duration::from_millis(200),
    duration: Duration::from_secs(2),
};

/// Carries out a command and returns how many requests failed.
pub(crate) async fn run(command: &Command) -> Result<u64, Fault> {
    match command {
        Command::Compare(options) => compare::compare(options).await,
        Command::Load(options) => load::load(options).await,
        Command::Workers(options) => workers::workers(options).await,
    }
}

/// What the generator can do, and what a request costs it.
async fn calibrate(plan: &Plan) -> Result<Figures, Fault> {
    let echo = Echo::start()?;
    let target = Target {
        address: &echo.address,
        pid: None,
    };
    // As long as a real room and a real token.
    let lane = Lane {
        token: "t".repeat(40),
        path: "/_matrix/client/v3/rooms/%21r/send/m.room.message/".to_owned(),
    };
    let lanes = vec![lane; plan.rooms];
    let mut record = Record::default();
    for in_flight in &plan.in_flight {
        send(
            target,
            CALIBRATION,
            &lanes,
            (*in_flight, &Cell::new(0)),
            &mut record,
        )
        .await?;
        let figures = &mut record.figures;
        let median = |name: &str| figures.median(&format!("send.{in_flight}.{name}"));
        let cost = median("generator_cores")
            .zip(median("rate"))
            .and_then(|(cores, rate)| quotient(cores * 1e6, rate));
        figures.record_some(format!("send.{in_flight}.generator_cpu"), Unit::CpuMicros, cost);
    }
    echo.stop();
    if let Some(sample) = record.errors.samples.first() {
        return Err(Fault::Usage(format!(
            "the generator fails even against nothing: {sample}"
        )));
    }
    Ok(record.figures)
}
