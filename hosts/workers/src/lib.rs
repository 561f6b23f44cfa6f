//! The Cloudflare Workers host: one Worker, which is the gateway, and Durable Objects, each of which runs one shard over
//! its SQLite storage.
//!
//! It may depend on everything below it, and nothing depends on it. What runs on the platform only is in `runtime`; the
//! rest compiles and is tested everywhere.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "elsewhere only tests use it")
)]

mod class;
mod config;
mod counts;
mod doh;
mod route;
mod slots;
mod sql_error;
mod wire;

#[cfg(target_arch = "wasm32")]
mod runtime;
