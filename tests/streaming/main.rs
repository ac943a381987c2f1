//! Compares the streams of ports with those of Node, over HTTP. The originals are the handlers of
//! `legacy/originals.js`. `recorded.json` has what AWS's Node client 3.3.0 posts for them under
//! Node 20. With `RECORD` in the environment, it is recorded again.

mod api;
mod faults;
mod large;
mod ports;

use api::{Api, Post};
use nodeback::{Runtime, streamify_response};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use tower::timeout::TimeoutLayer;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const RECORDED: &str = "streaming/recorded.json";

/// What is observed of an invocation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    posts: Vec<Post>,
    /// What happens to the process.
    process: String,
}

type Recorded = BTreeMap<String, Seen>;

fn recorded() -> Recorded {
    let recorded = fs::read_to_string(RECORDED).unwrap_or("{}".into());
    serde_json::from_str(&recorded).unwrap()
}

/// Writes one case per line, so that a changed case is a changed line.
fn record(recorded: &Recorded) {
    let lines: Vec<_> = recorded
        .iter()
        .map(|(case, seen)| format!("\"{case}\": {}", serde_json::to_string(seen).unwrap()))
        .collect();
    fs::write(RECORDED, format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
}

/// The time after which Node counts as hanging. Nothing in the originals takes a tenth of it.
const HANGS: Duration = Duration::from_secs(2);

fn node(api: &Api, export: &str) -> Child {
    let client = format!("{ROOT}/target/live/node/node_modules/aws-lambda-ric/dist/index.mjs");
    assert!(Path::new(&client).exists(), "run tests/live/node.sh first");
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("streaming.node.log");
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new("node")
        .arg(format!("{ROOT}/src/parity/original.mjs"))
        .arg(client)
        .arg(format!("{ROOT}/tests/streaming/legacy"))
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

/// The ports, in the process of a function.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let ran = match std::env::var("_HANDLER").as_deref() {
        Ok("small") => {
            let handler = async |_: serde_json::Value, stream| ports::drained(stream).await;
            nodeback::run(streamify_response(handler).high_water_mark(100)).await
        }
        Ok("layered") => {
            let layer = TimeoutLayer::new(Duration::from_millis(300));
            let handler = streamify_response(ports::handler);
            Runtime::new(handler).layer(layer).run().await
        }
        Ok("serve") => large::serve().await,
        Ok("sync") => nodeback::run(streamify_response(ports::sync)).await,
        Ok(_) => {
            // Node's mark, so that the same writes wait as in the originals.
            let handler = streamify_response(ports::handler).high_water_mark(64 * 1024);
            nodeback::run(handler).await
        }
        Err(_) => return,
    };
    ran.unwrap();
}

fn port(api: SocketAddr, export: &str, log: &str) -> Child {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{log}.log"));
    let log = File::create(log).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "function", "--nocapture"])
        .env("_HANDLER", export)
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "streaming")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Runs some cases of the ports of an export, one after the other in one process.
async fn seen_here(export: &str, cases: Vec<String>) -> Vec<(String, Seen)> {
    let api = Api::start().await;
    let mut process = port(api.address, export, &format!("streaming.{export}"));
    let mut all = Vec::new();
    for (at, case) in cases.into_iter().enumerate() {
        api.polled(at + 1).await;
        // If the deadline ends the invocation, it is a short one.
        let allowed = Duration::from_secs(if case.contains("never_returns") {
            1
        } else {
            20
        });
        api.send(event(&case), allowed);
        tokio::select! {
            () = api.polled(at + 2) => {}
            status = process.wait() => panic!("{case} ends the process with {status:?}"),
        }
        let seen = Seen {
            posts: api.posts(),
            process: "goes on".into(),
        };
        all.push((case, seen));
    }
    all
}

/// A case in which the port differs from Node on purpose.
#[derive(Deserialize)]
struct Deliberate {
    why: String,
    here: Seen,
}

fn deliberate() -> BTreeMap<String, Deliberate> {
    serde_json::from_str(include_str!("deliberate.json")).unwrap()
}

#[tokio::test]
async fn the_ports_post_what_node_does() {
    let (mut recorded, deliberate) = (recorded(), deliberate());
    let mut reasons = BTreeMap::<_, Vec<_>>::new();
    for (case, Deliberate { why, here }) in deliberate {
        let node = recorded.insert(case.clone(), here.clone());
        assert_ne!(node.as_ref(), Some(&here), "{case} does not differ");
        reasons.entry(why).or_default().push(case);
    }
    let (exports, cases): (Vec<_>, Vec<_>) = names()
        .into_iter()
        .partition(|case| case.starts_with("export "));
    let exports = exports.into_iter().map(|case| {
        let export = case.strip_prefix("export ").unwrap().to_owned();
        (export, vec![case])
    });
    let runs = exports.chain([("handler".to_owned(), cases)]);
    let runs = runs.map(async |(export, cases)| seen_here(&export, cases).await);
    let played = timeout(Duration::from_secs(120), futures::future::join_all(runs)).await;
    let mut otherwise = String::new();
    for (case, here) in played.expect("they end").into_iter().flatten() {
        if recorded.get(&case) != Some(&here) {
            let here = serde_json::to_string(&here).unwrap();
            writeln!(otherwise, "\"{case}\": {here}").unwrap();
        }
    }
    let differ: usize = reasons.values().map(Vec::len).sum();
    println!(
        "{} cases, {differ} of which differ on purpose",
        recorded.len()
    );
    for (why, cases) in reasons {
        println!("  {why}: {}", cases.join(", "));
    }
    assert!(
        otherwise.is_empty(),
        "not as recorded, or as meant:\n{otherwise}"
    );
}

/// Runs a case on Node's client, in a process of its own.
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
    let (mut posts, process) = (api.posts(), ended.unwrap_or("hangs".into()));
    if process.starts_with("ends") {
        // How much of an unfinished post was sent by then differs from run to run.
        posts.retain(|post| !post.unfinished);
    }
    Seen { posts, process }
}

fn event(case: &str) -> String {
    serde_json::json!({ "case": case }).to_string()
}

/// The names of the cases: the members of `cases` in `originals.js`, and its other exports.
fn names() -> Vec<String> {
    let originals = fs::read_to_string("streaming/legacy/originals.js").unwrap();
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
async fn the_real_node_client_posts_as_recorded() {
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
