//! The same answers as Node's, over HTTP: the handlers of `cases.js` and `more.js`, ported one to
//! one, and the functions of `examples/ported`. What the real Node runtime client 3.3.0 answered
//! under Node 20 is recorded in `cases.json` and `recorded.json`, and asked anew by
//! `the_real_node_client_answers_the_same`.

/// Names all the handlers of a file.
macro_rules! handlers {
    ($($handler:ident)+) => {
        pub(crate) const NAMES: &[&str] = &[$(stringify!($handler)),+];

        /// Runs the handler of that name, as the process of a function.
        pub(crate) async fn run(name: &str) -> nodeback::Result<()> {
            match name {
                $(stringify!($handler) => nodeback::run($handler).boxed_local().await,)+
                _ => panic!("no handler is called {name}"),
            }
        }
    };
}

mod deliberate;
mod handlers;
mod more;
mod play;
mod ported;
#[path = "../support/mod.rs"]
mod support;

use deliberate::{DELIBERATE, Row};
use futures::StreamExt;
use nodeback::{NeverCalled, RawValue, Runtime, Value};
use play::{Case, Seen, Side, Step, differences, play};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    fs,
    io::Write as _,
};

const RECORDED: &str = "cases/recorded.json";

#[tokio::test]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    let ran = match name.split_once('.') {
        Some(("cases", name)) => handlers::run(name).await,
        Some(("more", name)) => more::run(name).await,
        Some((file, _)) => ported::run(file).await,
        None => {
            let runtime = Runtime::new(handlers::never_called);
            runtime.never_called(NeverCalled::Null).run().await
        }
    };
    ran.unwrap();
}

/// A handler of `cases.js`, as its answers were recorded.
#[derive(Deserialize)]
struct Recorded {
    handler: String,
    event: Value,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    answer: String,
    /// As it was posted, but for spaces: the order of keys counts.
    body: Box<RawValue>,
    trace_lines: Option<usize>,
    sent: Option<String>,
}

fn the_63() -> Vec<(Case, Vec<Seen>)> {
    let cases = fs::read_to_string("cases/cases.json").unwrap();
    let cases: Vec<Recorded> = serde_json::from_str(&cases).unwrap();
    assert_eq!(cases.len(), 63);
    assert!(
        cases
            .iter()
            .map(|case| case.handler.as_str())
            .eq(handlers::NAMES.iter().copied())
    );
    cases.into_iter().map(Recorded::case).collect()
}

impl Recorded {
    fn case(self) -> (Case, Vec<Seen>) {
        let step = |answer: &Answer| match answer.sent {
            Some(_) => Step::InvokeOnLine,
            None => Step::Invoke(self.event.to_string()),
        };
        let case = Case {
            folder: "tests/cases",
            handler: format!("cases.{}", self.handler),
            steps: self.answers.iter().map(step).collect(),
            ..Case::default()
        };
        (case, self.answers.iter().map(Answer::seen).collect())
    }
}

impl Answer {
    fn seen(&self) -> Seen {
        let body: Value = serde_json::from_str(self.body.get()).unwrap();
        let trace = (self.answer == "error").then_some(self.trace_lines.unwrap_or(0) > 0);
        let sent = self.sent.as_deref().map(|sent| match sent {
            "at once" => play::AT_ONCE.into(),
            _ => play::HELD.into(),
        });
        Seen {
            answer: play::answer(&self.answer, &body.to_string(), trace),
            sent,
            process: None,
        }
    }
}

fn more() -> Vec<Case> {
    let case = |handler: &&str| Case {
        folder: "tests/cases",
        handler: format!("more.{handler}"),
        steps: more::steps(handler),
        ..Case::default()
    };
    more::NAMES
        .iter()
        .map(case)
        .chain(ported::cases())
        .collect()
}

/// What Node answered in a case of [`more`].
#[derive(Serialize, Deserialize)]
struct Played {
    handler: String,
    seen: Vec<Seen>,
}

fn recorded() -> HashMap<String, Vec<Seen>> {
    let played = fs::read_to_string(RECORDED).unwrap_or("[]".into());
    let played: Vec<Played> = serde_json::from_str(&played).unwrap();
    let entry = |played: Played| (played.handler, played.seen);
    played.into_iter().map(entry).collect()
}

/// One case a line, so that a change of it is a change of a line.
fn record(played: &[Played]) {
    let lines: Vec<_> = played
        .iter()
        .map(|played| serde_json::to_string(played).unwrap())
        .collect();
    fs::write(RECORDED, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}

/// The difference between Node and here, case by case.
#[derive(Default)]
struct Table {
    cases: usize,
    answers: usize,
    equal: usize,
    /// Cases with differences that are meant.
    meant: usize,
    /// What differs, by the reason for it.
    deliberate: BTreeMap<&'static str, BTreeSet<String>>,
    /// The rows of [`DELIBERATE`] that were met.
    rows: BTreeSet<usize>,
    differences: Vec<String>,
}

impl Table {
    fn add(&mut self, handler: &str, node: &[Seen], here: &[Seen]) {
        self.cases += 1;
        self.answers += node.iter().filter(|seen| !seen.answer.is_empty()).count();
        assert_eq!(node.len(), here.len(), "{handler}");
        let differences = differences(node, here);
        let unmeant = self.differences.len();
        let equal = differences.is_empty();
        for (node, here) in differences {
            let line = format!("{handler}\n    Node: {node}\n    here: {here}");
            let row = DELIBERATE
                .iter()
                .position(|row| row.covers(handler, &node, &here));
            match row {
                None => self.differences.push(line),
                Some(row) => {
                    let cases = self.deliberate.entry(DELIBERATE[row].why).or_default();
                    cases.insert(handler.into());
                    self.rows.insert(row);
                }
            }
        }
        self.equal += usize::from(equal);
        self.meant += usize::from(!equal && self.differences.len() == unmeant);
    }

    /// Prints it where cargo does not capture it.
    fn print(&self, title: &str) {
        let mut text = format!(
            "\n{title}: {} cases, {} answers; {} cases equal, {} with a difference that is meant",
            self.cases, self.answers, self.equal, self.meant
        );
        for (why, cases) in &self.deliberate {
            let cases: Vec<_> = cases.iter().map(String::as_str).collect();
            write!(text, "\n  {why}:\n    {}", cases.join(", ")).unwrap();
        }
        text += "\n\n";
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }

    fn check(&self) {
        let differences = self.differences.join("\n");
        assert!(
            differences.is_empty(),
            "not meant to differ:\n{differences}"
        );
    }
}

/// Every row has to have been met, of those that could be.
fn check_rows(tables: &[&Table], could_be: impl Fn(&Row) -> bool) {
    for (at, row) in DELIBERATE.iter().enumerate() {
        let met = tables.iter().any(|table| table.rows.contains(&at));
        assert!(met || !could_be(row), "a row for nothing: {row:?}");
    }
}

/// Plays cases here, two at a time, and compares.
async fn compare(title: &str, cases: Vec<(Case, Vec<Seen>)>) -> Table {
    let played =
        futures::stream::iter(&cases).map(|(case, node)| play(Side::Rust, case, Some(node)));
    let here: Vec<_> = played.buffered(2).collect().await;
    let mut table = Table::default();
    for ((case, node), here) in cases.iter().zip(&here) {
        table.add(&case.handler, node, here);
    }
    table.print(title);
    table.check();
    table
}

#[tokio::test]
async fn the_63_recorded_answers_are_given() {
    let table = compare("recorded, cases.js", the_63()).await;
    // What became of the process is not recorded.
    check_rows(&[&table], |row| {
        row.handler.starts_with("cases.") && !row.node.starts_with("the process")
    });
}

#[tokio::test]
async fn the_other_recorded_answers_are_given() {
    let mut recorded = recorded();
    let pair = |case: Case| {
        let node = recorded.remove(&case.handler);
        let node = node.unwrap_or_else(|| panic!("{} is not recorded", case.handler));
        (case, node)
    };
    let cases = more().into_iter().map(pair).collect();
    let table = compare("recorded, more.js and examples/ported", cases).await;
    check_rows(&[&table], |row| !row.handler.starts_with("cases."));
    assert!(
        recorded.is_empty(),
        "recorded, but no case: {:?}",
        recorded.keys()
    );
}

#[tokio::test]
async fn a_callback_that_is_never_called_answers_as_node_where_that_is_asked_for() {
    let case = Case {
        folder: "tests/cases",
        handler: "never_called with NeverCalled::Null".into(),
        steps: vec![Step::Invoke("{}".into())],
        ..Case::default()
    };
    let seen = play(Side::Rust, &case, None).await;
    assert_eq!(seen[0].answer, "response null");
}

/// With `RECORD` in the environment it writes what Node answered to `recorded.json`.
#[tokio::test]
#[ignore = "needs tests/live/node.sh"]
async fn the_real_node_client_answers_the_same() {
    assert!(play::node_client().exists(), "run tests/live/node.sh first");
    let mut recorded = recorded();
    let others = more().into_iter().map(|case| {
        let seen = recorded.remove(&case.handler).unwrap_or_default();
        (case, seen)
    });
    let cases: Vec<_> = the_63().into_iter().chain(others).collect();
    let played = futures::stream::iter(&cases).map(async |(case, _)| {
        let node = play(Side::Node, case, None).await;
        let here = play(Side::Rust, case, Some(&node)).await;
        (node, here)
    });
    let played: Vec<_> = played.buffered(2).collect().await;

    let (mut the_63, mut others) = (Table::default(), Table::default());
    let (mut new, mut otherwise) = (Vec::new(), Vec::new());
    for ((case, recorded), (node, here)) in cases.iter().zip(played) {
        let table = if case.handler.starts_with("cases.") {
            &mut the_63
        } else {
            &mut others
        };
        table.add(&case.handler, &node, &here);
        if recorded.len() != node.len() || !differences(recorded, &node).is_empty() {
            otherwise.push(&case.handler);
        }
        new.push(Played {
            handler: case.handler.clone(),
            seen: node,
        });
    }
    the_63.print("live, cases.js");
    others.print("live, more.js and examples/ported");
    if std::env::var_os("RECORD").is_some() {
        record(&new[63..]);
    } else {
        assert!(otherwise.is_empty(), "recorded otherwise: {otherwise:?}");
    }
    the_63.check();
    others.check();
    check_rows(&[&the_63, &others], |_| true);
}

/// As proof that the HTTP module of `src/parity` changes nothing.
#[tokio::test]
#[ignore = "needs tests/live/node.sh native, which needs a C++ compiler"]
async fn the_native_node_client_answers_as_recorded() {
    assert!(
        play::native_node_client().exists(),
        "run tests/live/node.sh native first"
    );
    let cases = the_63();
    let played = futures::stream::iter(&cases).map(|(case, _)| play(Side::NativeNode, case, None));
    let played: Vec<_> = played.buffered(2).collect().await;
    for ((case, recorded), node) in cases.iter().zip(&played) {
        assert_eq!(recorded.len(), node.len(), "{}", case.handler);
        let differences = differences(recorded, node);
        assert!(differences.is_empty(), "{}: {differences:?}", case.handler);
    }
}
