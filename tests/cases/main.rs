//! Compares the outcomes of many cases with those of Node: `original.js` runs on AWS's Node client,
//! and `first.rs` and `more.rs` are its port. The folder `events/` contains the events, the
//! recorded outcomes of Node, and the accepted differences. `ported.rs` does the same for the
//! functions in `examples/ported`.

#![allow(clippy::unwrap_used, reason = "tests")]

/// Lists all handlers of a file.
macro_rules! handlers {
    ($($handler:ident)+) => {
        /// Returns the handler with this name, applied to the event.
        pub(crate) fn pick(name: &str, event: &nodeback::Bytes) -> Option<nodeback::parity::Picked> {
            match name {
                $(stringify!($handler) => Some(nodeback::parity::Picked::new($handler, event.clone())),)+
                _ => None,
            }
        }
    };
}

mod first;
mod lambda;
mod more;
mod ported;
mod state;
#[path = "../support/mod.rs"]
mod support;

use nodeback::{
    Bytes, Callback, Context, Error, Value,
    parity::{ParityReport, Picked, Picker, compare_recorded, record},
};
use state::STATE;
use std::{fs, path::Path};
use tokio::sync::Mutex;

const ORIGINAL: &str = "cases/original.handler";
const EVENTS: &str = "cases/events";

/// Keeps the tests from running concurrently, since the state of the cases is shared in this
/// process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Returns the port: the handler that the event names, or one that echoes the event if it names
/// none.
fn port() -> Picker<fn(Bytes) -> Picked> {
    Picker(|event| {
        let value: Value = serde_json::from_slice(&event).unwrap_or_default();
        let Some(case) = value["case"].as_str() else {
            return Picked::new(echo, event);
        };
        STATE.begin(case, value["release"].as_u64());
        let picked = match case {
            "release" => Some(Picked::new(release, event.clone())),
            "idle" => Some(Picked::new(idle, event.clone())),
            _ => first::pick(case, &event).or_else(|| more::pick(case, &event)),
        };
        picked.unwrap_or_else(|| panic!("no handler is called {case}"))
    })
}

fn echo(event: Value, _: Context, callback: Callback) {
    callback(None, Some(event));
}

async fn release(_: Value) -> Result<&'static str, Error> {
    state::released(std::future::ready(())).await;
    Ok("released")
}

async fn idle(_: Value) -> Result<&'static str, Error> {
    Ok("idle")
}

#[tokio::test]
async fn each_case_is_the_same_as_recorded() {
    let _one = ONE_AT_A_TIME.lock().await;
    let report = compare_recorded(port(), ORIGINAL, EVENTS).await.unwrap();
    assert!(report.is_same(), "{report}");
}

/// Compares the port with Node, and Node with its recording. With `RECORD` in the environment, it
/// records Node instead.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn each_case_is_the_same_on_node() {
    let _one = ONE_AT_A_TIME.lock().await;
    if std::env::var_os("RECORD").is_some() {
        let report = record(port(), ORIGINAL, EVENTS).await.unwrap();
        assert!(report.is_same(), "{report}");
        return;
    }
    let (report, recorded) = record_again("cases").await;
    assert!(report.is_same(), "{report}");
    assert_eq!(recorded, outcomes(Path::new(EVENTS)));
}

/// Proves that replacing the HTTP module in `src/parity/original.mjs` changes nothing. Only the
/// replacement can see what an outcome waits for, so this comparison leaves that out.
#[tokio::test]
#[ignore = "needs tests/live/node.sh native, which needs a C++ compiler"]
async fn each_case_is_the_same_on_the_native_node_client() {
    let client = std::env::var("NODEBACK_NODE_CLIENT").unwrap_or_default();
    let module = "node_modules/aws-lambda-ric/dist/native-client.node";
    assert!(
        Path::new(&client).join(module).exists(),
        "NODEBACK_NODE_CLIENT has to name the folder that `tests/live/node.sh native` installed"
    );
    let _one = ONE_AT_A_TIME.lock().await;
    let without_deferral = |mut outcomes: Value| {
        for event in outcomes.as_array_mut().unwrap() {
            event.as_object_mut().unwrap().remove("deferredBy");
        }
        outcomes
    };
    let (_, recorded) = record_again("native-cases").await;
    let expected = outcomes(Path::new(EVENTS));
    assert_eq!(without_deferral(recorded), without_deferral(expected));
}

/// Records the cases in a temporary folder of this test, and returns the report and the recorded
/// outcomes.
async fn record_again(test: &str) -> (ParityReport, Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for file in fs::read_dir(EVENTS).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    let report = record(port(), ORIGINAL, &folder).await.unwrap();
    let outcomes = outcomes(&folder);
    (report, outcomes)
}

/// Returns the recording of each event, without the values that differ in each recording.
fn outcomes(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("parity.recorded.json")).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let outcome = |event: &Value| -> Value {
        let mut event = event.clone();
        let context = event.as_object_mut().unwrap().remove("context").unwrap();
        let mut text = event.to_string();
        for name in ["awsRequestId", "logStreamName"] {
            text = text.replace(context[name].as_str().unwrap(), name);
        }
        serde_json::from_str(&text).unwrap()
    };
    let events = recording["events"].as_array().unwrap();
    events.iter().map(outcome).collect()
}

#[tokio::test]
#[ignore = "needs to be started by another test, as the process of a function"]
async fn function() {
    if std::env::var_os("_HANDLER").is_some() {
        nodeback::run(port()).await.unwrap();
    }
}
