//! A server that is running already.

use super::calibrate;
use crate::{
    args::Load,
    fault::Fault,
    figures::Unit,
    machine::Machine,
    phases::{Record, phases},
    proc,
    report::{Report, ServerReport},
    world::{self, Target},
};

/// Loads the server. Its start and its idle memory are not seen.
pub(crate) async fn load(options: &Load) -> Result<u64, Fault> {
    let machine = Machine::describe(None)?;
    let generator = calibrate(&options.plan).await?;
    let target = Target {
        address: &options.url,
        pid: options.pid,
    };
    let mut record = Record::default();
    eprintln!("{}: filling", options.url);
    let world = world::fill(target, &options.plan, &mut record.figures).await?;
    for number in 1..=options.plan.rounds {
        eprintln!("{}: round {number} of {}", options.url, options.plan.rounds);
        for phase in phases(&options.plan) {
            phase.run(target, &options.plan, &world, &mut record).await?;
        }
    }
    if let Some(pid) = options.pid {
        record
            .figures
            .record("memory.loaded", Unit::Bytes, proc::memory(pid)?.resident);
    }
    let server = ServerReport {
        name: options.url.to_string(),
        version: "version unknown".to_owned(),
        size: world.size,
        rooms_at_last_start: 0,
        figures: record.figures,
        errors: record.errors,
    };
    let report = Report::of_load(machine, &options.plan, generator, vec![server]);
    report.publish(options.output.json.as_deref())?;
    Ok(report.failed_requests())
}
