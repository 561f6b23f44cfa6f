//! Selvage and Synapse on the same machine in the same run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{calibrate, subject::Subject};
use crate::{
    args::Compare,
    clock,
    fault::Fault,
    machine::Machine,
    phases::phases,
    report::Report,
    server::{selvage, synapse},
};

/// Runs the comparison. Servers take turns, phase by phase, so only one of them is ever under load.
pub(crate) async fn compare(options: &Compare) -> Result<u64, Fault> {
    let directory = run_directory(&options.dir)?;
    let machine = Machine::describe(Some(&directory))?;
    let generator = calibrate(&options.plan).await?;
    let mut subjects = start(options, &directory).await?;
    for (subject, _) in &mut subjects {
        subject.fill().await?;
    }
    for number in 1..=options.plan.rounds {
        eprintln!("round {number} of {}", options.plan.rounds);
        // Each phase is over on one server before the other has it, a few seconds apart.
        for phase in phases(&options.plan) {
            for (subject, _) in &mut subjects {
                subject.run(phase).await?;
            }
        }
    }
    let mut servers = Vec::new();
    for (subject, disk_rooms) in subjects {
        servers.push(subject.finish(disk_rooms).await?);
    }
    let report = Report::of_load(machine, &options.plan, generator, servers);
    report.publish(options.output.json.as_deref())?;
    // After a fault the data stay, since the logs are among them.
    if !options.keep {
        fs::remove_dir_all(&directory)?;
    }
    Ok(report.failed_requests())
}

/// Starts the servers that are asked for, each with the number of rooms that its last start shall find.
async fn start<'a>(options: &'a Compare, directory: &Path) -> Result<Vec<(Subject<'a>, usize)>, Fault> {
    let mut subjects = Vec::new();
    if let Some(binary) = &options.selvage {
        let program = selvage(binary, directory, options).await?;
        subjects.push((Subject::start(program, &options.plan).await?, options.disk_rooms));
    }
    if let Some(environment) = &options.synapse {
        let program = synapse(environment, directory, options).await?;
        subjects.push((
            Subject::start(program, &options.plan).await?,
            options.synapse_disk_rooms,
        ));
    }
    if subjects.is_empty() {
        return Err(Fault::Usage(
            "nothing to compare: give --selvage, --synapse or both".to_owned(),
        ));
    }
    Ok(subjects)
}

fn run_directory(parent: &Path) -> Result<PathBuf, Fault> {
    let path = parent.join(format!("run-{}", clock::run_number()));
    fs::create_dir_all(&path).map_err(|source| Fault::Path {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}
