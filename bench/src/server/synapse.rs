//! Synapse from a Python virtual environment, one process, with SQLite.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Program, absolute, data_directory, free_port, output};
use crate::{args::Compare, fault::Fault, http::Address};

/// Synapse's main program.
const MODULE: &str = "synapse.app.homeserver";
/// What is changed in the generated configuration, and why.
const SETTINGS: &str = include_str!("synapse.yaml");
/// How it logs.
const LOGGING: &str = include_str!("synapse_log.yaml");

/// Synapse on an empty data directory under `parent`.
///
/// The configuration is the one that Synapse generates, so durability, caches, presence and everything else are its
/// defaults, with a second file over it that opens registration and lifts the rate limits.
pub(crate) async fn synapse(environment: &Path, parent: &Path, options: &Compare) -> Result<Program, Fault> {
    let python = absolute(&environment.join("bin/python"))?;
    let print = "import importlib.metadata as m; print('Synapse', m.version('matrix-synapse'))";
    let version = output(&python, &["-c", print]).await?;
    let data = data_directory(parent, "synapse")?;
    let address = Address::local(free_port()?);
    let files = configure(&python, &data, &address, options).await?;
    let mut command = vec![python, "-m".into(), MODULE.into()];
    command.extend(files.into_iter().flat_map(|file| ["--config-path".into(), file]));
    Ok(Program {
        name: "synapse",
        version,
        address,
        command,
        log: data.with_extension("log"),
    })
}

/// Writes the configuration and returns its files; later ones go before earlier ones.
async fn configure(
    python: &Path,
    data: &Path,
    address: &Address,
    options: &Compare,
) -> Result<[PathBuf; 2], Fault> {
    let generated = data.join("homeserver.yaml");
    let (directory, file) = (data.to_string_lossy(), generated.to_string_lossy());
    let generate = [
        "-m",
        MODULE,
        "--generate-config",
        "--report-stats=no",
        "--server-name",
        "localhost",
    ];
    let places = [
        "--config-path",
        &file,
        "--config-directory",
        &directory,
        "--data-directory",
        &directory,
    ];
    output(python, &[&generate[..], &places[..]].concat()).await?;
    let changes = data.join("bench.yaml");
    fs::write(
        &changes,
        settings(&directory, address, options.synapse_bcrypt_rounds),
    )?;
    fs::write(data.join("log.yaml"), LOGGING.replace("DIRECTORY", &directory))?;
    Ok([generated, changes])
}

fn settings(directory: &str, address: &Address, bcrypt_rounds: Option<u32>) -> String {
    let port = address.authority.rsplit(':').next().unwrap_or_default();
    let mut settings = SETTINGS
        .replace("DIRECTORY", directory)
        .replace("port: PORT", &format!("port: {port}"));
    if let Some(rounds) = bcrypt_rounds {
        settings.push_str(&format!("bcrypt_rounds: {rounds}\n"));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in() {
        let settings = settings("/srv/x", &Address::local(8123), Some(4));
        assert!(settings.contains("- port: 8123\n"));
        assert!(settings.contains("log_config: \"/srv/x/log.yaml\"\n"));
        assert!(settings.ends_with("bcrypt_rounds: 4\n"));
        let without_comments = settings.lines().filter(|line| !line.starts_with('#'));
        assert!(
            without_comments
                .into_iter()
                .all(|line| !line.contains("PORT") && !line.contains("DIRECTORY"))
        );
    }
}
