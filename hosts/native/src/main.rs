//! `selvage`, the native host.

use std::process::ExitCode;

fn main() -> ExitCode {
    selvage::cli::run()
}
