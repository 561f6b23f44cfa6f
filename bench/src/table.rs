//! Text tables, which are Markdown too.

use std::fmt;

/// Bytes in a kibibyte.
const KIBIBYTE: f64 = 1_024.0;
/// Bytes in a mebibyte.
const MEBIBYTE: f64 = 1_024.0 * KIBIBYTE;

/// A table; its first column is left-aligned, the others right-aligned.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    /// Adds a row. Missing cells are empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        for (index, row) in self.rows.iter().enumerate() {
            line(f, row, &widths)?;
            if index == 0 {
                rule(f, &widths)?;
            }
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, row: &[String], widths: &[usize]) -> fmt::Result {
    for (column, width) in widths.iter().enumerate() {
        let cell = row.get(column).map_or("", String::as_str);
        match column {
            0 => write!(f, "| {cell:<width$} ")?,
            _ => write!(f, "| {cell:>width$} ")?,
        }
    }
    writeln!(f, "|")
}

fn rule(f: &mut fmt::Formatter<'_>, widths: &[usize]) -> fmt::Result {
    for (column, width) in widths.iter().enumerate() {
        let colon = if column == 0 { '-' } else { ':' };
        write!(f, "|{:-<1$}{colon}", "", width + 1)?;
    }
    writeln!(f, "|")
}

/// A number with about three digits that matter, and thousands apart.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => thousands(&format!("{value:.0}")),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A number of bytes in the unit that fits it.
pub(crate) fn bytes(value: f64) -> String {
    if value < MEBIBYTE {
        format!("{} KiB", number(value / KIBIBYTE))
    } else {
        format!("{} MiB", number(value / MEBIBYTE))
    }
}

fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["figure", "µ"]);
        table.row(vec!["a".into(), "1,000".into()]);
        table.row(vec!["send".into()]);
        let expected = "\
| figure |     µ |
|--------|------:|
| a      | 1,000 |
| send   |       |
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn numbers_have_about_three_digits() {
        let cases = [
            (0.0, "0.00"),
            (0.126, "0.13"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (42.04, "42.0"),
            (99.96, "100"),
            (1_234.5, "1,234"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
        ];
        cases
            .iter()
            .for_each(|(value, expected)| assert_eq!(number(*value), *expected));
    }

    #[test]
    fn bytes_are_in_the_unit_that_fits() {
        assert_eq!(bytes(512.0), "0.50 KiB");
        assert_eq!(bytes(1_048_575.0), "1,024 KiB");
        assert_eq!(bytes(1_048_576.0 * 30.0), "30.0 MiB");
    }
}
