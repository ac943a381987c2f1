//! The figures of criterion and of the instruction counter, as tables.

use super::{ROOT, table::Table};
use nodeback::Value;
use std::{fs, iter, path::Path};

/// The groups of criterion: the title of the table, the group, the size (a folder below the names,
/// for some groups), and the benchmarks that the others are compared with.
type Group = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const GROUPS: [Group; 11] = [
    own("signalled before the await", CHANNELS),
    own("signalled after the first poll", CHANNELS),
    own("signalled from a spawned task", CHANNELS),
    own("signalled from a thread", CHANNELS),
    own("with 1 clone", &["by hand"]),
    own("with 2 clones", &["by hand"]),
    own("with 8 clones", &["by hand"]),
    own("never called", CHANNELS),
    own("duplicate", &["nodeback"]),
    ("in process, 100 B", "invoke", "100", &["by hand"]),
    ("in process, 100 kB", "invoke", "100000", &["by hand"]),
];

const CHANNELS: &[&str] = &["tokio oneshot", "oneshot crate"];

/// A group whose table has the same title.
const fn own(title: &'static str, bases: &'static [&'static str]) -> Group {
    (title, title, "", bases)
}

/// Returns the medians of the latest run of criterion in nanoseconds, with the name of each
/// benchmark.
fn medians(group: &str, size: &str) -> Vec<(String, f64)> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| format!("{ROOT}/../target"));
    let Ok(entries) = fs::read_dir(Path::new(&target).join("criterion").join(group)) else {
        return vec![];
    };
    let mut medians: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let text = fs::read(entry.path().join(size).join("new/estimates.json")).ok()?;
            let estimates: Value = serde_json::from_slice(&text).ok()?;
            let median = estimates["median"]["point_estimate"].as_f64()?;
            Some((entry.file_name().to_string_lossy().into_owned(), median))
        })
        .collect();
    medians.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    medians
}

/// Returns the tables of the latest run of criterion.
pub(crate) fn criterion_tables() -> Vec<Table> {
    let mut tables = Vec::new();
    let instructions = instructions();
    for (title, group, size, bases) in GROUPS {
        let medians = medians(group, size);
        let median = |name| Some(medians.iter().find(|(other, _)| other == name)?.1);
        let Some(bases) = bases
            .iter()
            .map(|&base| Some((format!("of {base}"), median(base)?)))
            .collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let counted = |name: &str| {
            let action = format!("{title}, {name}");
            instructions.as_ref()?.cell(&action, "instructions")
        };
        let is_counted = medians.iter().any(|(name, _)| counted(name).is_some());
        let columns: Vec<_> = iter::once("ns")
            .chain(bases.iter().map(|(column, _)| column.as_str()))
            .chain(is_counted.then_some("instructions"))
            .collect();
        let mut table = Table::new(title, &columns).plotted(0);
        for (name, median) in &medians {
            let ratios = bases.iter().map(|(_, of)| format!("{:.2}", median / of));
            let count = is_counted.then(|| counted(name).unwrap_or_default().to_owned());
            let cells = iter::once(format!("{median:.0}"))
                .chain(ratios)
                .chain(count);
            table.row(name, cells);
        }
        tables.push(table);
    }
    let mut each: Vec<_> = medians("callbacks outstanding", "")
        .into_iter()
        .filter_map(|(name, ns)| {
            let count: f64 = name.split(' ').nth(1)?.parse().ok()?;
            Some((count, ns / count))
        })
        .collect();
    each.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    if !each.is_empty() {
        let mut table = Table::new("callbacks outstanding", &["ns each"]).plotted(0);
        for (count, ns) in each {
            table.row(count.to_string(), [format!("{ns:.0}")]);
        }
        tables.push(table);
    }
    tables
}

/// Returns the table of instructions that CI compares with.
pub(crate) fn instructions() -> Option<Table> {
    let text = fs::read_to_string(format!("{ROOT}/instructions.txt")).ok()?;
    let mut table = Table::new("action", &["instructions"]);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, count) = line.rsplit_once(char::is_whitespace)?;
        table.row(name.trim(), [count.to_owned()]);
    }
    Some(table)
}
