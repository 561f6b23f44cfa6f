//! The size of the bundle against what the platform takes.

use std::{io::Write, path::Path};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};

use crate::files;

/// What a Worker may weigh on the platform's free plan, all modules together.
const BUNDLE_GZIPPED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Prints the size of every module, and fails when all together are too large.
pub(super) fn check(dir: &Path) -> Result<()> {
    let (mut raw, mut gzipped) = (0, 0);
    for entry in dir
        .read_dir()
        .with_context(|| format!("listing {}", dir.display()))?
    {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "js" || extension == "wasm")
        {
            let bytes = files::read_bytes(&path)?;
            raw += bytes.len();
            gzipped += gzipped_len(&bytes)?;
        }
    }
    let dir = dir.display();
    println!("Worker bundle: {raw} bytes, {gzipped} gzipped (at most {BUNDLE_GZIPPED_BYTES_MAX}) in {dir}");
    within(gzipped, BUNDLE_GZIPPED_BYTES_MAX)
}

fn within(gzipped: usize, limit: usize) -> Result<()> {
    ensure!(
        gzipped <= limit,
        "the Worker bundle has {gzipped} bytes gzipped and may have {limit}: find what grew, for instance with \
         `cargo tree --package selvage-workers --edges normal` or by building an older commit"
    );
    Ok(())
}

fn gzipped_len(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_over_the_limit_is_refused() {
        assert!(within(10, 10).is_ok());
        let error = within(11, 10).expect_err("one byte too many");
        assert!(
            error.to_string().contains("11 bytes gzipped and may have 10"),
            "{error}"
        );
    }

    #[test]
    fn repetition_weighs_little() {
        assert!(gzipped_len(&[7; 100_000]).expect("in memory") < 1_000);
    }
}
