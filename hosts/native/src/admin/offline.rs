//! Checking data that no server uses.

use selvage_object::ShardId;
use selvage_sqlite::Sqlite;

use crate::directory::Directory;
use crate::kinds;
use crate::shard::file_name;

/// Reads all databases of a data directory and returns what is wrong with them, a line each. Nothing is changed, and data
/// of older versions are not brought up to date.
#[must_use]
pub fn check_files(directory: &Directory) -> Vec<String> {
    let shards = (0..directory.shards()).map(|shard| ShardId::new(shard.to_string()));
    shards
        .flat_map(|shard| {
            let file = file_name(&shard);
            let problems = check_file(directory, &file).unwrap_or_else(|error| vec![error]);
            problems
                .into_iter()
                .map(move |problem| format!("{file}: {problem}"))
        })
        .collect()
}

fn check_file(directory: &Directory, file: &str) -> Result<Vec<String>, String> {
    let path = directory.path().join(file);
    if !path.exists() {
        return Err("the file is missing".to_owned());
    }
    let registry = kinds::to_look_at().map_err(|error| error.to_string())?;
    let sqlite = Sqlite::open(&path).map_err(|error| error.to_string())?;
    let mut problems = sqlite.check_integrity().map_err(|error| error.to_string())?;
    if problems.is_empty() {
        problems = selvage_object::check(&sqlite, &registry).map_err(|error| error.to_string())?;
    }
    Ok(problems)
}
