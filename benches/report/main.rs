//! Creates one page from the figures of all benchmarks: `cargo bench --bench report`, or
//! `benches/report.sh`, which runs the benchmarks first. The page is
//! `target/nodeback-benches.html`. This also updates the plots of `README.md`, and its tables
//! between `<!-- table: .. -->` and `<!-- end -->`.

mod figures;
mod page;
#[path = "../support/table.rs"]
mod table;

use figures::{criterion_tables, instructions};
use page::bars;
use std::{fs, path::Path};
use table::Table;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The benchmarks that save tables.
const TABLES: [&str; 5] = [
    "lambda-one",
    "lambda-start",
    "lambda-many",
    "lambda-drift",
    "streaming",
];

fn main() {
    // `cargo test` also runs this binary, without `--bench`.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let mut tables = criterion_tables();
    tables.extend(instructions());
    tables.extend(TABLES.into_iter().filter_map(table::published).flatten());
    let completion: Vec<_> = titled(&tables, |title| {
        title.starts_with("signalled ") && !title.contains("thread")
    });
    let scale: Vec<_> = titled(&tables, |title| title == "callbacks outstanding");
    for (file, plotted) in [("completion", completion), ("scale", scale)] {
        // Without figures, the plot of an earlier run is kept.
        if !plotted.is_empty() {
            let file = format!("{ROOT}/{file}.svg");
            fs::write(file, bars(&plotted)).expect("the plot can be written");
        }
    }
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).expect("README.md");
    fs::write(format!("{ROOT}/README.md"), with_tables(&readme, &tables)).expect("README.md");
    let page = Path::new(ROOT).join("../target/nodeback-benches.html");
    fs::write(&page, page::page(&tables)).expect("the page can be written");
    println!("{}", page.display());
}

fn titled(tables: &[Table], is_wanted: impl Fn(&str) -> bool) -> Vec<&Table> {
    let wanted = |table: &&Table| is_wanted(&table.title);
    tables.iter().filter(wanted).collect()
}

/// Returns the README with each marked table replaced by that of the latest run, if there is one.
fn with_tables(readme: &str, tables: &[Table]) -> String {
    const END: &str = "<!-- end -->";
    let mut parts = readme.split("<!-- table: ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (title, rest) = part.split_once(" -->").expect("the end of a mark");
        let (old, rest) = rest.split_once(END).expect("the end of a table");
        let table = tables.iter().find(|table| table.title == title);
        let table = table.map_or(old.to_owned(), |table| format!("\n\n{table}\n"));
        whole.push_str(&format!("<!-- table: {title} -->{table}{END}{rest}"));
    }
    whole
}
