//! The same streams as Node's, over HTTP: the handlers of `originals.js`, and what AWS's Node client 3.3.0 posts for them
//! under Node 20, which is recorded in `recorded.json`. With `RECORD` in the environment it is recorded anew.

mod api;

use api::{Api, Post};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const RECORDED: &str = "streaming/recorded.json";

/// What is seen of an invocation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    posts: Vec<Post>,
    /// What becomes of the process.
    process: String,
}

type Recorded = BTreeMap<String, Seen>;

fn recorded() -> Recorded {
    let recorded = fs::read_to_string(RECORDED).unwrap_or("{}".into());
    serde_json::from_str(&recorded).unwrap()
}

/// One case a line, so that a change of it is a change of a line.
fn record(recorded: &Recorded) {
    let lines: Vec<_> = recorded
        .iter()
        .map(|(case, seen)| format!("\"{case}\": {}", serde_json::to_string(seen).unwrap()))
        .collect();
    fs::write(RECORDED, format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
}

/// How long Node is waited for where it may hang. Nothing in the originals takes a tenth of that.
const HANGS: Duration = Duration::from_secs(2);

fn node(api: &Api, export: &str) -> Child {
    let client = format!("{ROOT}/target/live/node/node_modules/aws-lambda-ric/dist/index.mjs");
    assert!(Path::new(&client).exists(), "run tests/live/node.sh first");
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("streaming.node.log");
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new("node")
        .arg(format!("{ROOT}/src/parity/original.mjs"))
        .arg(client)
        .arg(format!("{ROOT}/tests/streaming"))
        .arg(format!("originals.{export}"))
        .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "streaming")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// What Node's client does in a case, in a process of its own.
async fn seen_of_node(case: &str) -> Seen {
    let api = Api::start().await;
    let export = case.strip_prefix("export ").unwrap_or("handler");
    let mut process = node(&api, export);
    api.polled(1).await;
    api.send(event(case), Duration::from_secs(20));
    let ended = tokio::select! {
        biased;
        () = api.polled(2) => Some("goes on".into()),
        status = process.wait() => Some(format!("ends with {:?}", status.unwrap().code())),
        () = tokio::time::sleep(HANGS) => None,
    };
    if let Err(error) = process.kill().await {
        panic!("{case}: {error}");
    }
    Seen {
        posts: api.posts(),
        process: ended.unwrap_or("hangs".into()),
    }
}

fn event(case: &str) -> String {
    serde_json::json!({ "case": case }).to_string()
}

/// The names of the cases: the members of `cases` in `originals.js`, and its other exports.
fn names() -> Vec<String> {
    let originals = fs::read_to_string("streaming/originals.js").unwrap();
    let (_, cases) = originals.split_once("const cases = {\n").unwrap();
    let (cases, _) = cases.split_once("\n};").unwrap();
    let name = |line: &str| {
        let (name, rest) = line.strip_prefix("    ")?.split_once(": ")?;
        let is_name = !name.starts_with(' ') && rest.starts_with("async (");
        is_name.then(|| name.to_owned())
    };
    cases
        .lines()
        .filter_map(name)
        .chain(["export small".into(), "export sync".into()])
        .collect()
}

#[test]
fn every_original_is_recorded() {
    let mut names = names();
    names.sort_unstable();
    let recorded: Vec<_> = recorded().into_keys().collect();
    assert_eq!(names, recorded);
}

#[tokio::test]
#[ignore = "needs tests/live/node.sh"]
async fn the_real_node_client_posts_the_same() {
    let mut seen = Recorded::new();
    for case in names() {
        let of_node = timeout(Duration::from_secs(25), seen_of_node(&case)).await;
        let of_node = of_node.unwrap_or_else(|_| panic!("Node does not start for {case}"));
        seen.insert(case, of_node);
    }
    if std::env::var_os("RECORD").is_some() {
        record(&seen);
    }
    for (case, recorded) in recorded() {
        assert_eq!(seen.get(&case), Some(&recorded), "{case}");
    }
}
