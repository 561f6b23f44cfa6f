//! Selvage's budgets. They are reported, never asserted: a busy machine is no defect.

use serde::Serialize;

use super::ServerReport;
use crate::{args::Plan, figures::Ratio, table::number};

/// Messages per second against Synapse's, with as many in flight as were tried.
const SEND_RATIO: f64 = 100.0;
/// Synapse's median time from send to sync against Selvage's.
const DELIVERY_RATIO: f64 = 20.0;
/// Resident memory of the idle server, in bytes.
const IDLE_BYTES: f64 = 30e6;
/// Resident memory after the load, in bytes.
const LOADED_BYTES: f64 = 150e6;
/// Time of a start with [`START_ROOMS`] rooms on disk, in milliseconds.
const START_MS: f64 = 200.0;
/// Rooms on disk for which [`START_MS`] holds.
const START_ROOMS: usize = 10_000;

/// A limit and what was measured.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Budget {
    what: String,
    /// The limit.
    limit: f64,
    /// Whether more than the limit is good, or less.
    at_least: bool,
    /// What was measured; none where the run did not measure it.
    measured: Option<f64>,
    met: Option<bool>,
}

impl Budget {
    fn new(what: impl Into<String>, (at_least, limit): (bool, f64), measured: Option<f64>) -> Self {
        let met = measured.map(|value| if at_least { value >= limit } else { value <= limit });
        Self {
            what: what.into(),
            limit,
            at_least,
            measured,
            met,
        }
    }

    /// As a row of a table: what, limit, measured, met.
    pub(super) fn cells(&self) -> Vec<String> {
        let sign = if self.at_least { "≥" } else { "≤" };
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let measured = self.measured.map_or("not measured".to_owned(), number);
        vec![
            self.what.clone(),
            format!("{sign} {}", number(self.limit)),
            measured,
            met.to_owned(),
        ]
    }
}

/// Where `ours` stands.
pub(super) fn budgets(plan: &Plan, ours: &ServerReport, ratios: &[Ratio]) -> Vec<Budget> {
    let ratio = |key: &str| {
        ratios
            .iter()
            .find(|ratio| ratio.key == key)
            .map(|ratio| ratio.median)
    };
    let in_flight = plan.in_flight.iter().max().copied().unwrap_or(0);
    let figure = |key: &str| ours.figures.median(key);
    let start = figure("start.loaded").filter(|_| ours.rooms_at_last_start >= START_ROOMS);
    let send = ratio(&format!("send.{in_flight}.rate"));
    vec![
        Budget::new(
            format!("send, {in_flight} in flight, times Synapse's"),
            (true, SEND_RATIO),
            send,
        ),
        Budget::new(
            "send to sync, p50, times Synapse's",
            (true, DELIVERY_RATIO),
            ratio("deliver.p50"),
        ),
        Budget::new(
            "resident memory, idle, bytes",
            (false, IDLE_BYTES),
            figure("memory.idle"),
        ),
        Budget::new(
            "resident memory, loaded, bytes",
            (false, LOADED_BYTES),
            figure("memory.loaded"),
        ),
        Budget::new(
            format!("start, {START_ROOMS} rooms on disk, ms"),
            (false, START_MS),
            start,
        ),
    ]
}
