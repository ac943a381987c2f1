//! Turns what the latest `cargo bench` left in `target/criterion` into the tables and the plots of
//! `benches/README.md`: `cargo bench --bench plot`.

use nodeback::Value;
use std::{fmt::Write as _, fs, path::Path};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The groups in the order of the README, and by which peer their ratios are told.
const GROUPS: [(&str, &str); 9] = [
    ("signalled before the await", "tokio oneshot"),
    ("signalled after the first poll", "tokio oneshot"),
    ("signalled from a spawned task", "tokio oneshot"),
    ("signalled from a thread", "tokio oneshot"),
    ("with 1 clone", "by hand"),
    ("with 2 clones", "by hand"),
    ("with 8 clones", "by hand"),
    ("never called", "tokio oneshot"),
    ("duplicate", "nodeback"),
];

/// Nanoseconds, by name.
fn medians(group: &str) -> Vec<(String, f64)> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| format!("{ROOT}/../target"));
    let Ok(entries) = fs::read_dir(Path::new(&target).join("criterion").join(group)) else {
        return vec![];
    };
    let mut medians: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let text = fs::read(entry.path().join("new/estimates.json")).ok()?;
            let estimates: Value = serde_json::from_slice(&text).ok()?;
            let median = estimates["median"]["point_estimate"].as_f64()?;
            Some((entry.file_name().to_string_lossy().into_owned(), median))
        })
        .collect();
    medians.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    medians
}

/// Bars with their names and figures.
fn svg(title: &str, unit: &str, bars: &[(String, f64)]) -> String {
    let most = bars.iter().map(|(_, bar)| *bar).fold(1.0, f64::max);
    let height = 40 + 22 * bars.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"720\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"20\" font-size=\"14\">{title}, {unit}</text>\n"
    );
    for (n, (name, bar)) in bars.iter().enumerate() {
        let (y, width) = (34 + 22 * n, bar / most * 360.0);
        let colour = if name.contains("nodeback") || name.starts_with("signal") {
            "#c2410c"
        } else {
            "#94a3b8"
        };
        let _ = writeln!(
            svg,
            "<text x=\"282\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"290\" y=\"{y}\" width=\"{width:.0}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.0}\" y=\"{}\">{bar:.0}</text>",
            y + 13,
            296.0 + width,
            y + 13,
        );
    }
    svg + "</svg>\n"
}

fn main() {
    let mut plotted = vec![];
    for (group, base) in GROUPS {
        let medians = medians(group);
        let base = medians.iter().find(|(name, _)| name == base);
        let Some((base, of)) = base else { continue };
        println!("\n| {group} | ns | of {base} |\n| --- | --- | --- |");
        for (name, median) in &medians {
            println!("| {name} | {median:.0} | {:.2} |", median / of);
        }
        if group.starts_with("signalled before") || group.starts_with("signalled after") {
            let short = group.trim_start_matches("signalled ");
            plotted.extend(
                medians
                    .iter()
                    .map(|(name, ns)| (format!("{short}: {name}"), *ns)),
            );
        }
    }
    let plot = |file: &str, svg: String| {
        fs::write(format!("{ROOT}/{file}"), svg).expect("the plot can be written");
    };
    plot("completion.svg", svg("A completion", "ns", &plotted));
    let mut each: Vec<_> = medians("callbacks outstanding")
        .into_iter()
        .filter_map(|(name, ns)| {
            let count: f64 = name.split(' ').nth(1)?.parse().ok()?;
            Some((name, count, ns / count))
        })
        .collect();
    each.sort_by(|(_, a, _), (_, b, _)| a.total_cmp(b));
    println!("\n| callbacks outstanding | ns each |\n| --- | --- |");
    for (_, count, ns) in &each {
        println!("| {count} | {ns:.0} |");
    }
    let bars: Vec<_> = each.into_iter().map(|(name, _, ns)| (name, ns)).collect();
    plot("scale.svg", svg("Callbacks outstanding", "ns each", &bars));
}
