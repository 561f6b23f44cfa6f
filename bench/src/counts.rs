//! What one operation costs on Workers: counts, which are the same on every machine.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{fault::Fault, stats::quotient};

/// Counters as an instance shows them: names such as `requests`, `shard_calls`, `rows_read`, `rows_written`.
pub(crate) type Counters = BTreeMap<String, u64>;

/// What single operations cost.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Counts(pub(crate) BTreeMap<String, Operation>);

/// What one operation costs.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Operation {
    /// How often it was repeated.
    pub(crate) repetitions: u32,
    /// By how much one repetition raised each counter.
    pub(crate) per_operation: BTreeMap<String, f64>,
}

impl Operation {
    /// What happened between two readings of the counters.
    pub(crate) fn between(before: &Counters, after: &Counters, repetitions: u32) -> Result<Self, Fault> {
        let mut per_operation = BTreeMap::new();
        for (name, later) in after {
            let growth = later.checked_sub(before.get(name).copied().unwrap_or(0));
            let growth = growth.ok_or_else(|| Fault::Usage(format!("the counter {name} went down")))?;
            let growth = f64::from(u32::try_from(growth).unwrap_or(u32::MAX));
            per_operation.extend(quotient(growth, f64::from(repetitions)).map(|share| (name.clone(), share)));
        }
        Ok(Self {
            repetitions,
            per_operation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(pairs: &[(&str, u64)]) -> Counters {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    }

    #[test]
    fn growth_is_divided_by_the_repetitions() {
        let before = counters(&[("requests", 10), ("rows_read", 0)]);
        let after = counters(&[("requests", 30), ("rows_read", 0), ("rows_written", 50)]);
        let operation = Operation::between(&before, &after, 20).unwrap();
        let shares: Vec<_> = operation
            .per_operation
            .iter()
            .map(|(name, share)| (name.as_str(), *share))
            .collect();
        assert_eq!(
            shares,
            [("requests", 1.0), ("rows_read", 0.0), ("rows_written", 2.5)]
        );
    }

    #[test]
    fn a_counter_that_falls_is_no_counter() {
        let fault = Operation::between(&counters(&[("requests", 2)]), &counters(&[("requests", 1)]), 1);
        assert_eq!(fault.unwrap_err().to_string(), "the counter requests went down");
    }
}
