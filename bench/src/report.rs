//! The results: tables for people, JSON for programs.

mod budget;

use std::{fs, path::Path};

use serde::Serialize;

use self::budget::{Budget, budgets};
use crate::{
    args::Plan,
    counts::Counts,
    fault::{Errors, Fault},
    figures::{Figure, Figures, Ratio, Unit, ratios},
    machine::Machine,
    table::{Table, bytes, number},
    world::Size,
};

/// What one server did.
#[derive(Debug, Serialize)]
pub(crate) struct ServerReport {
    /// Its name.
    pub(crate) name: String,
    /// Its version, if it is known.
    pub(crate) version: String,
    /// What it was filled with.
    pub(crate) size: Size,
    /// Rooms on disk when its last start was timed.
    pub(crate) rooms_at_last_start: usize,
    /// The figures.
    pub(crate) figures: Figures,
    /// The failed requests.
    pub(crate) errors: Errors,
}

/// The results of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    machine: Machine,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a Plan>,
    /// The generator against a server that does nothing: its own limits.
    generator: Figures,
    servers: Vec<ServerReport>,
    /// How many times better the first server is than the second.
    ratios: Vec<Ratio>,
    /// Where the first server stands to its budgets.
    budgets: Vec<Budget>,
    /// What operations cost on Workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<Counts>,
}

impl<'a> Report<'a> {
    /// The results of loading `servers`; the first is compared with the second.
    pub(crate) fn of_load(
        machine: Machine,
        plan: &'a Plan,
        generator: Figures,
        servers: Vec<ServerReport>,
    ) -> Self {
        let ratios = match servers.as_slice() {
            [ours, theirs, ..] => ratios(&ours.figures, &theirs.figures),
            _ => Vec::new(),
        };
        let ours = servers.first().filter(|server| server.name == "selvage");
        let budgets = ours.map_or_else(Vec::new, |ours| budgets(plan, ours, &ratios));
        Self {
            machine,
            plan: Some(plan),
            generator,
            servers,
            ratios,
            budgets,
            workers: None,
        }
    }

    /// The results of counting.
    pub(crate) fn of_counts(machine: Machine, counts: Counts) -> Self {
        Self {
            machine,
            plan: None,
            generator: Figures::default(),
            servers: Vec::new(),
            ratios: Vec::new(),
            budgets: Vec::new(),
            workers: Some(counts),
        }
    }

    /// How many requests failed.
    pub(crate) fn failed_requests(&self) -> u64 {
        self.servers.iter().map(|server| server.errors.count).sum()
    }

    /// Prints the tables, and writes the JSON if a file for it is named.
    pub(crate) fn publish(&self, json: Option<&Path>) -> Result<(), Fault> {
        println!("{}\n", self.machine.summary());
        let tables = [
            self.generator_table(),
            self.server_table(),
            self.budget_table(),
            self.count_table(),
        ];
        tables.into_iter().flatten().for_each(|table| println!("{table}"));
        for server in &self.servers {
            println!(
                "{}: {}, {} failed requests",
                server.name, server.version, server.errors.count
            );
            server
                .errors
                .samples
                .iter()
                .for_each(|sample| println!("  {sample}"));
        }
        let Some(path) = json else { return Ok(()) };
        let text = serde_json::to_string_pretty(self).map_err(|e| Fault::Usage(e.to_string()))?;
        fs::write(path, text + "\n").map_err(|source| Fault::Path {
            path: path.into(),
            source,
        })
    }

    fn generator_table(&self) -> Option<Table> {
        let rows: Vec<_> = self.generator.iter().collect();
        let mut table = Table::new(&["generator against nothing", "unit", "value"]);
        rows.iter().for_each(|figure| {
            table.row(vec![
                figure.key.clone(),
                figure.unit.symbol().into(),
                shown(figure),
            ])
        });
        (!rows.is_empty()).then_some(table)
    }

    fn server_table(&self) -> Option<Table> {
        let names = self.servers.iter().map(|server| server.name.as_str());
        let mut table = Table::new(
            &["figure", "unit"]
                .into_iter()
                .chain(names)
                .chain(["ratio", "rounds"])
                .collect::<Vec<_>>(),
        );
        for figure in self.all_figures() {
            let values = self
                .servers
                .iter()
                .map(|server| server.figures.get(&figure.key).map_or(String::new(), shown));
            let ratio = self.ratios.iter().find(|ratio| ratio.key == figure.key);
            let ratio = ratio.map_or([String::new(), String::new()], |ratio| {
                [number(ratio.median), range(&ratio.rounds)]
            });
            table.row(
                [figure.key.clone(), figure.unit.symbol().into()]
                    .into_iter()
                    .chain(values)
                    .chain(ratio)
                    .collect(),
            );
        }
        (!self.servers.is_empty()).then_some(table)
    }

    /// Every figure once, those of the first server first.
    fn all_figures(&self) -> Vec<&Figure> {
        let mut figures: Vec<&Figure> = Vec::new();
        for figure in self.servers.iter().flat_map(|server| server.figures.iter()) {
            if figures.iter().all(|known| known.key != figure.key) {
                figures.push(figure);
            }
        }
        figures
    }

    fn budget_table(&self) -> Option<Table> {
        let mut table = Table::new(&["budget", "limit", "measured", "met"]);
        self.budgets.iter().for_each(|budget| table.row(budget.cells()));
        (!self.budgets.is_empty()).then_some(table)
    }

    fn count_table(&self) -> Option<Table> {
        let mut table = Table::new(&["operation", "counter", "each"]);
        for (name, operation) in &self.workers.as_ref()?.0 {
            for (counter, share) in &operation.per_operation {
                table.row(vec![name.clone(), counter.clone(), number(*share)]);
            }
        }
        Some(table)
    }
}

fn shown(figure: &Figure) -> String {
    match figure.unit {
        Unit::Bytes => bytes(figure.median),
        _ => number(figure.median),
    }
}

fn range(rounds: &[f64]) -> String {
    let low = rounds.iter().copied().reduce(f64::min);
    let high = rounds.iter().copied().reduce(f64::max);
    low.zip(high).map_or(String::new(), |(low, high)| {
        format!("{}–{}", number(low), number(high))
    })
}

#[cfg(test)]
mod tests;
