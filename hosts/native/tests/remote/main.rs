//! Requests to other servers, over real TLS, TCP and DNS: each test has servers on loopback addresses of its own, a DNS server
//! that knows them, and an authority that signs their certificates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test that meets the unexpected fails"
)]

mod attacks;
mod dns;
mod finding;
mod lines;
mod site;
mod trust;
mod world;
