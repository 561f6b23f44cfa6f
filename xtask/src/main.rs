//! The project's own commands: set-up, tests, tidiness, packaging.

fn main() {}
