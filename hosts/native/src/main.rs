//! The native host: one binary with embedded SQLite.

fn main() {}
