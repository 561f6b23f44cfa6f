//! One suite of host behaviour, run against every host.
