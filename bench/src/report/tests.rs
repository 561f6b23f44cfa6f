use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::args::{Cli, Command};

fn plan() -> Plan {
    match Cli::parse_from(["bench", "load", "--url", "http://127.0.0.1:1"]).command {
        Command::Load(load) => load.plan,
        _ => unreachable!(),
    }
}

fn server(name: &str, figures: &[(&str, Unit, f64)], rooms_at_last_start: usize) -> ServerReport {
    let mut all = Figures::default();
    figures
        .iter()
        .for_each(|(key, unit, value)| all.record(*key, *unit, *value));
    let (size, errors) = (Size::default(), Errors::default());
    ServerReport {
        name: name.into(),
        version: "1".into(),
        size,
        rooms_at_last_start,
        figures: all,
        errors,
    }
}

fn report(plan: &Plan, start_rooms: usize) -> Report<'_> {
    let ours = [
        ("send.64.rate", Unit::PerSecond, 12_000.0),
        ("deliver.p50", Unit::Milliseconds, 2.0),
        ("memory.idle", Unit::Bytes, 20.0 * 1_048_576.0),
        ("start.loaded", Unit::Milliseconds, 90.0),
    ];
    let theirs = [
        ("send.64.rate", Unit::PerSecond, 100.0),
        ("deliver.p50", Unit::Milliseconds, 30.0),
        ("memory.loaded", Unit::Bytes, 300.0 * 1_048_576.0),
    ];
    let servers = vec![
        server("selvage", &ours, start_rooms),
        server("synapse", &theirs, 0),
    ];
    Report::of_load(
        Machine::describe(None).unwrap(),
        plan,
        Figures::default(),
        servers,
    )
}

#[test]
fn the_table_has_every_figure_of_either_server() {
    let expected = "\
| figure        |  unit |  selvage | synapse | ratio |    rounds |
|---------------|------:|---------:|--------:|------:|----------:|
| send.64.rate  |    /s |   12,000 |     100 |   120 |   120–120 |
| deliver.p50   |    ms |     2.00 |    30.0 |  15.0 | 15.0–15.0 |
| memory.idle   | bytes | 20.0 MiB |         |       |           |
| start.loaded  |    ms |     90.0 |         |       |           |
| memory.loaded | bytes |          | 300 MiB |       |           |
";
    assert_eq!(
        report(&plan(), 10_000).server_table().unwrap().to_string(),
        expected
    );
}

#[test]
fn budgets_are_met_missed_or_not_measured() {
    let met = |rooms| {
        report(&plan(), rooms)
            .budgets
            .iter()
            .map(|budget| budget.cells()[3].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(met(10_000), ["yes", "no", "yes", "", "yes"]);
    assert_eq!(met(9_999), ["yes", "no", "yes", "", ""]);
}

#[test]
fn a_server_alone_has_neither_ratios_nor_budgets_unless_it_is_ours() {
    let plan = plan();
    let alone = Report::of_load(
        Machine::describe(None).unwrap(),
        &plan,
        Figures::default(),
        vec![server("synapse", &[], 0)],
    );
    assert_eq!((alone.ratios.len(), alone.budgets.len()), (0, 0));
}

#[test]
fn the_json_has_the_plan_the_medians_and_the_ratios() {
    let json: Value = serde_json::to_value(report(&plan(), 0)).unwrap();
    assert_eq!(json["plan"]["in_flight"], serde_json::json!([1, 8, 64]));
    assert_eq!(json["plan"]["seconds"], 5.0);
    assert_eq!(json["servers"][0]["figures"][0]["median"], 12_000.0);
    assert_eq!(json["ratios"][1]["median"], 15.0);
    assert_eq!(json.get("workers"), None);
}

#[test]
fn counts_go_into_the_json() {
    let before = [("rows_written".to_owned(), 4)].into();
    let after = [("rows_written".to_owned(), 28)].into();
    let operation = crate::counts::Operation::between(&before, &after, 2).unwrap();
    let report = Report::of_counts(
        Machine::describe(None).unwrap(),
        Counts([("send".to_owned(), operation)].into()),
    );
    let json: Value = serde_json::to_value(&report).unwrap();
    assert_eq!(json["workers"]["send"]["per_operation"]["rows_written"], 12.0);
    assert_eq!(
        report.count_table().unwrap().to_string().lines().last().unwrap(),
        "| send      | rows_written | 12.0 |"
    );
}
