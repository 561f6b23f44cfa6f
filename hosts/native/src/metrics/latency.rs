//! How long requests take.

use super::{Counter, head, line};

/// The upper ends of the buckets, in microseconds, with their text in seconds.
const BUCKETS: [(u64, &str); 9] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (50_000, "0.05"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (10_000_000, "10"),
];

/// A histogram of durations.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [Counter; BUCKETS.len()],
    count: Counter,
    sum_us: Counter,
}

impl Latency {
    /// Counts one duration, in microseconds.
    pub fn note(&self, us: u64) {
        self.count.add(1);
        self.sum_us.add(us);
        let bucket = BUCKETS.iter().zip(&self.buckets).find(|((end, _), _)| us <= *end);
        if let Some((_, counter)) = bucket {
            counter.add(1);
        }
    }

    pub(super) fn write(&self, text: &mut String) {
        let name = "http_request_seconds";
        head(
            text,
            name,
            "From a request's head to its response's.",
            "histogram",
        );
        let mut below = 0;
        for ((_, end), counter) in BUCKETS.iter().zip(&self.buckets) {
            below += counter.get();
            let labels = format!("_bucket{{le=\"{end}\"}}");
            line(text, name, &labels, below);
        }
        line(text, name, "_bucket{le=\"+Inf\"}", self.count.get());
        line(text, name, "_count", self.count.get());
        let us = self.sum_us.get();
        let seconds = format!("_sum {}.{:06}\n", us / 1_000_000, us % 1_000_000);
        text.push_str("selvage_");
        text.push_str(name);
        text.push_str(&seconds);
    }
}
