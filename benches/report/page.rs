//! The page, and the plots.

use super::{ROOT, table::Table};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use plotters::prelude::*;
use std::{fs, process::Command};

/// The claims in the README, and the cell that supports each of them: the title of a table, a row
/// and a column.
const CLAIMS: [(&str, [&str; 3]); 7] = [
    (
        "0.52 to 0.65",
        ["signalled before the await", "nodeback", "of tokio oneshot"],
    ),
    (
        "0.52 to 0.65",
        [
            "signalled after the first poll",
            "nodeback",
            "of tokio oneshot",
        ],
    ),
    (
        "0.61 to 0.84",
        [
            "signalled before the await",
            "nodeback, literal call",
            "of tokio oneshot",
        ],
    ),
    (
        "as much processor time as on bare `lambda_runtime` on one thread",
        [
            "100 B on AWS's emulator",
            "nodeback, one thread",
            "of lambda_runtime's",
        ],
    ),
    (
        "0.36 to 0.40 of it on several threads",
        [
            "100 B on AWS's emulator",
            "nodeback, several threads",
            "of lambda_runtime's",
        ],
    ),
    (
        "less than a third of what AWS's Node client uses",
        [
            "100 B on AWS's emulator",
            "Node client 3.3.0",
            "of lambda_runtime's",
        ],
    ),
    (
        "starts in 1.4 to 2.5 ms",
        ["start", "`hello` on nodeback", "to the first poll, ms"],
    ),
];

/// Describes the machine that runs this.
fn machine() -> Vec<(&'static str, String)> {
    let first_line = |program: &str, option: &str| {
        let output = Command::new(program).arg(option).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().map(String::from)
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let unknown = || "unknown".to_owned();
    vec![
        (
            "Processor",
            cpu.map_or_else(unknown, |cpu| {
                cpu.trim_start_matches([' ', '\t', ':']).into()
            }),
        ),
        ("Cores", cores.to_string()),
        (
            "Load",
            load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        ),
        ("Kernel", first_line("uname", "-sr").unwrap_or_else(unknown)),
        (
            "Rust",
            first_line("rustc", "--version").unwrap_or_else(unknown),
        ),
        (
            "Node",
            first_line("node", "--version").unwrap_or_else(unknown),
        ),
    ]
}

pub(crate) fn page(tables: &[Table]) -> String {
    let readme = fs::read_to_string(format!("{ROOT}/../README.md")).expect("README.md");
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "What nodeback costs" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "What nodeback costs" }
                h2 { "The machine" }
                table { @for (name, value) in machine() { tr { th scope="row" { (name) } td { (value) } } } }
                h2 { "Claims in the README" }
                table {
                    tr { th { "claim" } th { "row" } th { "column" } th { "this run" } }
                    @for (claim, [title, row, column]) in CLAIMS {
                        @let known = readme.contains(claim);
                        tr {
                            td { (claim) @if !known { strong { " (not in the README)" } } }
                            td { (title) ": " (row) }
                            td { (column) }
                            td { (cell(tables, title, row, column)) }
                        }
                    }
                }
                @for table in tables { (section(table)) }
            }
        }
    };
    page.into_string()
}

fn cell<'a>(tables: &'a [Table], title: &str, row: &str, column: &str) -> &'a str {
    let table = tables.iter().find(|table| table.title == title);
    table
        .and_then(|table| table.cell(row, column))
        .unwrap_or("not measured")
}

fn section(table: &Table) -> Markup {
    html! {
        h2 { (table.title) }
        @if table.plotted.is_some() { figure { (PreEscaped(bars(&[table]))) } }
        table {
            tr { th {} @for column in &table.columns { th { (column) } } }
            @for (name, cells) in &table.rows {
                tr { th scope="row" { (name) } @for cell in cells { td { (cell) } } }
            }
        }
    }
}

/// Draws the plotted column of each table as horizontal bars.
pub(crate) fn bars(tables: &[&Table]) -> String {
    const WIDTH: u32 = 760;
    const NAMES: i32 = 330;
    let mut bars = Vec::new();
    for table in tables {
        let Some(column) = table.plotted else {
            continue;
        };
        for (name, cells) in &table.rows {
            let value = cells.get(column).and_then(|cell| cell.parse::<f64>().ok());
            let name = if tables.len() > 1 {
                format!("{}: {name}", table.title.trim_start_matches("signalled "))
            } else {
                name.clone()
            };
            bars.extend(value.map(|value| (name, value)));
        }
    }
    let most = bars
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = 24 * u32::try_from(bars.len()).unwrap_or(0) + 16;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE).expect("in memory");
        for (at, (name, value)) in bars.iter().enumerate() {
            let y = 8 + 24 * i32::try_from(at).unwrap_or(0);
            // The rows of some tables are numbers of callbacks.
            let ours = name.contains("nodeback") || name.parse::<u32>().is_ok();
            let color = if ours {
                RGBColor(194, 65, 12)
            } else {
                RGBColor(148, 163, 184)
            };
            let length = (value / most * f64::from(WIDTH as i32 - NAMES - 80)) as i32;
            let text = |text: &str, x: i32, anchor| {
                use plotters::style::text_anchor::{HPos, Pos, VPos};
                let pos = if anchor { HPos::Right } else { HPos::Left };
                let style = ("sans-serif", 13).into_font().color(&BLACK);
                let style = style.pos(Pos::new(pos, VPos::Center));
                area.draw(&Text::new(text.to_owned(), (x, y + 9), style))
                    .expect("in memory");
            };
            text(name, NAMES - 8, true);
            let corners = [(NAMES, y), (NAMES + length.max(1), y + 18)];
            area.draw(&Rectangle::new(corners, color.filled()))
                .expect("in memory");
            text(&value.to_string(), NAMES + length + 6, false);
        }
        area.present().expect("in memory");
    }
    svg
}

const STYLE: &str = "
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884 }
td { font-variant-numeric: tabular-nums }
th { font-weight: 500 }
figure { margin: 0 0 1rem; overflow-x: auto }
";
