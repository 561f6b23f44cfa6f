//! `selvage`, the native host.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Turns make and drop many small values, on several threads: the C library's allocator took a seventh of a send's time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    selvage::cli::run()
}
