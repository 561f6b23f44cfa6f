//! Named figures, one value a round, and the comparison of two servers by them.

use serde::Serialize;

use crate::stats::{median, quotient};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Operations a second.
    PerSecond,
    /// Milliseconds.
    Milliseconds,
    /// CPU microseconds an operation.
    CpuMicros,
    /// Bytes.
    Bytes,
    /// Processor cores kept busy: 0.5 is half of one.
    Cores,
    /// A plain number, such as the quotient of two figures.
    Number,
}

impl Unit {
    /// How the unit is written in a table.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Unit::PerSecond => "/s",
            Unit::Milliseconds => "ms",
            Unit::CpuMicros => "cpu µs",
            Unit::Bytes => "bytes",
            Unit::Cores => "cores",
            Unit::Number => "",
        }
    }

    /// How many times better `ours` is than `theirs`; none for figures that describe the measurement.
    fn advantage(self, ours: f64, theirs: f64) -> Option<f64> {
        match self {
            Unit::PerSecond => quotient(ours, theirs),
            Unit::Milliseconds | Unit::CpuMicros | Unit::Bytes => quotient(theirs, ours),
            Unit::Cores | Unit::Number => None,
        }
    }
}

/// One figure: its value in each round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// What was measured, such as `send.64.rate`.
    pub(crate) key: String,
    /// What its values count.
    pub(crate) unit: Unit,
    /// The median of the rounds.
    pub(crate) median: f64,
    /// The values, in the order of the rounds.
    pub(crate) rounds: Vec<f64>,
}

impl Figure {
    fn add(&mut self, value: f64) {
        self.rounds.push(value);
        self.median = median(&self.rounds).unwrap_or(value);
    }
}

/// All figures of one server, in the order in which they were first recorded.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// Adds a round's value.
    pub(crate) fn record(&mut self, key: impl Into<String>, unit: Unit, value: f64) {
        let key = key.into();
        match self.0.iter_mut().find(|figure| figure.key == key) {
            Some(figure) => figure.add(value),
            None => self.0.push(Figure {
                key,
                unit,
                median: value,
                rounds: vec![value],
            }),
        }
    }

    /// Adds a round's value if there is one.
    pub(crate) fn record_some(&mut self, key: impl Into<String>, unit: Unit, value: Option<f64>) {
        if let Some(value) = value {
            self.record(key, unit, value);
        }
    }

    /// The figure of that name.
    pub(crate) fn get(&self, key: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| figure.key == key)
    }

    /// The median of the figure of that name.
    pub(crate) fn median(&self, key: &str) -> Option<f64> {
        Some(self.get(key)?.median)
    }

    /// All figures.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }
}

/// How one server's figure stands to another's.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Ratio {
    /// The figure's name.
    pub(crate) key: String,
    /// How many times better the first server is, round by round. More is better whatever the unit.
    pub(crate) rounds: Vec<f64>,
    /// The median of the rounds.
    pub(crate) median: f64,
}

/// Compares the figures that both servers have, each round with the same round of the other, so that what disturbs
/// the machine for a while disturbs both sides of a quotient.
pub(crate) fn ratios(ours: &Figures, theirs: &Figures) -> Vec<Ratio> {
    ours.iter()
        .filter_map(|figure| ratio(figure, theirs.get(&figure.key)?))
        .collect()
}

fn ratio(ours: &Figure, theirs: &Figure) -> Option<Ratio> {
    let pairs = ours.rounds.iter().zip(&theirs.rounds);
    let rounds: Vec<f64> = pairs.filter_map(|(a, b)| ours.unit.advantage(*a, *b)).collect();
    let median = median(&rounds)?;
    Some(Ratio {
        key: ours.key.clone(),
        rounds,
        median,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(key: &str, unit: Unit, rounds: &[f64]) -> Figures {
        let mut figures = Figures::default();
        rounds.iter().for_each(|value| figures.record(key, unit, *value));
        figures
    }

    #[track_caller]
    fn check(unit: Unit, ours: &[f64], theirs: &[f64], expected: Option<(&[f64], f64)>) {
        let found = ratios(&figures("x", unit, ours), &figures("x", unit, theirs));
        let expected = expected.map(|(rounds, median)| Ratio {
            key: "x".into(),
            rounds: rounds.into(),
            median,
        });
        assert_eq!(found.into_iter().next(), expected);
    }

    #[test]
    fn more_a_second_is_better_and_less_of_anything_else() {
        check(Unit::PerSecond, &[200.0], &[2.0], Some((&[100.0], 100.0)));
        check(Unit::Milliseconds, &[2.0], &[40.0], Some((&[20.0], 20.0)));
        check(Unit::CpuMicros, &[10.0], &[5.0], Some((&[0.5], 0.5)));
        check(Unit::Bytes, &[1.0], &[3.0], Some((&[3.0], 3.0)));
        check(Unit::Cores, &[1.0], &[3.0], None);
    }

    #[test]
    fn rounds_are_compared_with_their_own_round() {
        // A machine half as fast in the second round changes both figures and no ratio.
        check(
            Unit::PerSecond,
            &[800.0, 400.0, 1_200.0],
            &[8.0, 4.0, 10.0],
            Some((&[100.0, 100.0, 120.0], 100.0)),
        );
        check(Unit::PerSecond, &[800.0, 400.0], &[8.0], Some((&[100.0], 100.0)));
        check(Unit::PerSecond, &[1.0], &[0.0], None);
    }

    #[test]
    fn figures_that_only_one_server_has_are_not_compared() {
        let found = ratios(
            &figures("x", Unit::Bytes, &[1.0]),
            &figures("y", Unit::Bytes, &[1.0]),
        );
        assert_eq!(found, vec![]);
    }

    #[test]
    fn figures_keep_their_order_and_their_rounds() {
        let mut figures = figures("z", Unit::Bytes, &[3.0, 1.0]);
        figures.record("a", Unit::Bytes, 5.0);
        figures.record("z", Unit::Bytes, 2.0);
        figures.record_some("none", Unit::Bytes, None);
        let keys: Vec<_> = figures.iter().map(|figure| figure.key.as_str()).collect();
        assert_eq!(keys, ["z", "a"]);
        assert_eq!(figures.median("z"), Some(2.0));
        assert_eq!(figures.median("none"), None);
    }
}
