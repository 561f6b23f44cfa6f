//! Selvage's native host.

use std::path::Path;

use super::{Program, absolute, data_directory, free_port, output};
use crate::{args::Compare, fault::Fault, http::Address};

/// Selvage on an empty data directory under `parent`, with its defaults but for registration and rate limits.
pub(crate) async fn selvage(binary: &Path, parent: &Path, options: &Compare) -> Result<Program, Fault> {
    let binary = absolute(binary)?;
    let version = output(&binary, &["--version"]).await?;
    let data = data_directory(parent, "selvage")?;
    let log = data.with_extension("log");
    let address = Address::local(free_port()?);
    let mut command = vec![binary, "serve".into(), "--server-name".into(), "localhost".into()];
    command.extend(["--data-dir".into(), data]);
    command.extend(
        [
            "--listen",
            &address.authority,
            "--registration",
            "open",
            "--rate-limits",
            "off",
        ]
        .map(Into::into),
    );
    if let Some(memory) = options.password_hash_memory {
        command.extend(["--password-hash-memory".into(), memory.to_string().into()]);
    }
    Ok(Program {
        name: "selvage",
        version,
        address,
        command,
        log,
    })
}
