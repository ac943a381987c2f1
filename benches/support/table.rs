//! A table that a benchmark prints and saves for the report.

use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display},
    fs,
    path::{Path, PathBuf},
};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    /// The name and the cells of each row.
    pub(crate) rows: Vec<(String, Vec<String>)>,
    /// The column to plot, if any.
    pub(crate) plotted: Option<usize>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Table {
            title: title.into(),
            columns: columns.iter().map(|&column| column.into()).collect(),
            rows: Vec::new(),
            plotted: None,
        }
    }

    pub(crate) fn plotted(mut self, column: usize) -> Self {
        self.plotted = Some(column);
        self
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = String>) {
        self.rows.push((name.into(), cells.into_iter().collect()));
    }

    /// Returns the cell at a row and a column.
    #[allow(dead_code, reason = "only the report uses it")]
    pub(crate) fn cell(&self, row: &str, column: &str) -> Option<&str> {
        let (_, cells) = self.rows.iter().find(|(name, _)| name == row)?;
        let at = self.columns.iter().position(|name| name == column)?;
        cells.get(at).map(String::as_str)
    }
}

/// Formats the table as Markdown.
impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} | {} |", self.title, self.columns.join(" | "))?;
        writeln!(f, "| --- {}|", "| --- ".repeat(self.columns.len()))?;
        for (name, cells) in &self.rows {
            writeln!(f, "| {name} | {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}

/// Returns the path of the saved tables of a benchmark.
fn file(benchmark: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{benchmark}.tables.json"))
}

/// Prints the tables and saves them for the report, replacing those of the previous run.
#[allow(dead_code, reason = "the report does not use it")]
pub(crate) fn publish(benchmark: &str, tables: &[Table]) {
    for table in tables {
        println!("\n{table}");
    }
    let json = serde_json::to_vec(tables).expect("JSON");
    fs::write(file(benchmark), json).expect("the tables can be written");
}

/// Returns the tables of the latest run.
#[allow(dead_code, reason = "only the report uses it")]
pub(crate) fn published(benchmark: &str) -> Option<Vec<Table>> {
    serde_json::from_slice(&fs::read(file(benchmark)).ok()?).ok()
}
