//! Figures for the operator, in the text format of Prometheus.

mod counter;
mod latency;

use std::fmt::Write;

pub use counter::Counter;
pub use latency::Latency;

/// What the server counts. Every figure is since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// HTTP responses, by the first digit of their status.
    pub responses: [Counter; 6],
    /// How long requests took, from the whole of the head to the response's head; sync's waiting included.
    pub latency: Latency,
    /// Connections that were accepted.
    pub connections: Counter,
    /// Connections that were refused because there were too many.
    pub connections_refused: Counter,
    /// TLS handshakes that failed.
    pub handshakes_failed: Counter,
    /// Inputs that a full queue refused.
    pub overloads: Counter,
    /// Turns, failed ones included.
    pub turns: Counter,
    /// Batches, each one transaction.
    pub batches: Counter,
    /// Inputs of all batches.
    pub batch_inputs: Counter,
    /// Batches that were not committed.
    pub batches_failed: Counter,
    /// Tells that were set aside because their receiver could not take them.
    pub tells_given_up: Counter,
    /// Waits under way, by shard.
    watches: [Counter; SHARDS_SHOWN_MAX],
}

/// Shards beyond this number share the last one's figure.
const SHARDS_SHOWN_MAX: usize = 32;

impl Metrics {
    /// Counts a response.
    pub fn note_response(&self, status: u16) {
        if let Some(counter) = self.responses.get(usize::from(status / 100)) {
            counter.add(1);
        }
    }

    /// Says how many wait at a shard.
    pub(crate) fn note_watches(&self, shard: usize, watches: usize) {
        if let Some(counter) = self.watches.get(shard.min(SHARDS_SHOWN_MAX - 1)) {
            counter.set(watches as u64);
        }
    }

    /// All figures; `waiting` is how many inputs wait for each shard.
    #[must_use]
    pub fn text(&self, waiting: &[usize]) -> String {
        let mut text = String::new();
        self.write(&mut text, waiting);
        text
    }

    fn write(&self, text: &mut String, waiting: &[usize]) {
        let counters = [
            ("connections_total", "Connections accepted.", &self.connections),
            (
                "connections_refused_total",
                "Connections refused for their number.",
                &self.connections_refused,
            ),
            (
                "tls_handshakes_failed_total",
                "TLS handshakes that failed.",
                &self.handshakes_failed,
            ),
            (
                "overloads_total",
                "Inputs that a full queue refused.",
                &self.overloads,
            ),
            ("turns_total", "Turns.", &self.turns),
            ("batches_total", "Batches, one transaction each.", &self.batches),
            ("batch_inputs_total", "Inputs of all batches.", &self.batch_inputs),
            (
                "batches_failed_total",
                "Batches not committed.",
                &self.batches_failed,
            ),
            ("tells_given_up_total", "Tells set aside.", &self.tells_given_up),
        ];
        for (name, help, counter) in counters {
            head(text, name, help, "counter");
            line(text, name, "", counter.get());
        }
        self.write_responses(text);
        write_waiting(text, waiting);
        let watches = self.watches.iter().map(Counter::get).sum();
        head(text, "watches", "Requests that wait for news.", "gauge");
        line(text, "watches", "", watches);
        self.latency.write(text);
    }

    fn write_responses(&self, text: &mut String) {
        let help = "Responses by class of status.";
        head(text, "http_responses_total", help, "counter");
        for (class, counter) in self.responses.iter().enumerate().skip(1) {
            line(
                text,
                "http_responses_total",
                &format!("{{class=\"{class}xx\"}}"),
                counter.get(),
            );
        }
    }
}

fn write_waiting(text: &mut String, waiting: &[usize]) {
    let help = "Inputs that wait for a shard.";
    head(text, "shard_queue_inputs", help, "gauge");
    for (shard, waiting) in waiting.iter().enumerate() {
        let labels = format!("{{shard=\"{shard}\"}}");
        line(text, "shard_queue_inputs", &labels, *waiting as u64);
    }
}

/// Begins a figure.
pub(crate) fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "# HELP selvage_{name} {help}\n# TYPE selvage_{name} {kind}\n"
    );
}

/// One value of a figure.
pub(crate) fn line(text: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(text, "selvage_{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_each_figure_once_and_has_its_values() {
        let metrics = Metrics::default();
        metrics.turns.add(3);
        metrics.note_response(404);
        metrics.note_watches(1, 7);
        metrics.latency.note(2_500);
        let text = metrics.text(&[0, 5]);
        for expected in [
            "selvage_turns_total 3",
            "selvage_http_responses_total{class=\"4xx\"} 1",
            "selvage_shard_queue_inputs{shard=\"1\"} 5",
            "selvage_watches 7",
            "selvage_http_request_seconds_count 1",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
        }
        let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let mut once = types.clone();
        once.dedup();
        assert_eq!((types.len(), once.len()), (13, 13));
    }
}
