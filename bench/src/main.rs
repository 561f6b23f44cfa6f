//! A load tool for any homeserver.

fn main() {}
