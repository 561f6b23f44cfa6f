//! Settings in the environment that this program does not know.

use std::collections::BTreeSet;

use clap::Command;

use super::SettingError;

const PREFIX: &str = "SELVAGE_";

/// Refuses variables that begin like settings and are none: a misspelt setting would otherwise have no effect.
///
/// # Errors
/// With the variable's name.
pub fn check_environment(command: &Command, names: impl Iterator<Item = String>) -> Result<(), SettingError> {
    let mut known = BTreeSet::new();
    collect(command, &mut known);
    let mut unknown = names.filter(|name| name.starts_with(PREFIX) && !known.contains(name));
    unknown.next().map_or(Ok(()), |name| {
        Err(SettingError::new(
            name,
            "there is no such setting; see selvage serve --help",
        ))
    })
}

fn collect(command: &Command, known: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(clap::Arg::get_env);
    known.extend(variables.map(|name| name.to_string_lossy().into_owned()));
    for command in command.get_subcommands() {
        collect(command, known);
    }
}
