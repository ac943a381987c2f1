//! Originals that hang, print without end, kill their process or leave other processes behind.

use super::{Events, compared, lines};
use nodeback::{Callback, Context, Error, Result, Value, json};
use std::{
    future::pending,
    process::{Command, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

async fn hangs(_: Value) -> Result<Value> {
    pending().await
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_original_that_floods_its_log_is_killed_at_the_deadline() {
    let events = Events::new("drowns", &[("a.json", "{}")]);
    let report = compared(hangs, "originals.drowns", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
    assert!(report.to_string().contains("was killed"), "{report}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_original_that_kills_its_process_fails_that_event_alone() {
    let text = "{}\n{\"kill\":\"SIGKILL\"}\n{}\n{\"kill\":\"SIGABRT\"}\n{}\n";
    let events = Events::new("kills", &[("a.jsonl", text)]);
    let alive = |_: Value, _: Context, callback: Callback| callback.succeed("alive".into());
    let report = compared(alive, "originals.kills", &events).await.unwrap();
    let nothing =
        "outcome no response before the deadline or the end of the process | response \"alive\"";
    assert_eq!(
        lines(&report, &events),
        [
            "a.jsonl:1 same",
            "a.jsonl:2 differs the process of Node was killed)",
            nothing,
            "a.jsonl:3 same",
            "a.jsonl:4 differs the process of Node was killed)",
            nothing,
            "a.jsonl:5 same",
            "5 events: 3 same, 2 differ",
        ]
    );
}

/// Each of its members differs.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn large_responses_that_differ_make_a_short_report() {
    let events = Events::new("large", &[("a.json", "{}")]);
    let large = |_: Value, _: Context, callback: Callback| {
        callback.succeed(
            (0..50_000)
                .map(|n| (format!("key {n}"), json!(n + 1)))
                .collect(),
        )
    };
    let report = compared(large, "originals.large", &events).await.unwrap();
    assert!(!report.is_same());
    let text = report.to_string();
    assert!(
        text.contains("/key 0   0 | 1") && text.len() < 4096,
        "{text}"
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_event_of_six_megabytes_reaches_both() {
    let event = json!({ "text": "ż".repeat(3 * 1024 * 1024) }).to_string();
    let events = Events::new("six", &[("a.json", &event)]);
    let echo = |event: Value, _: Context, callback: Callback| callback.succeed(event);
    let report = compared(echo, "originals.echo", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
}

/// The processes that connect to a test: a Node process, and one that it has started.
struct Family {
    listener: TcpListener,
    members: Vec<TcpStream>,
}

impl Family {
    /// Also returns an event, which tells `originals.family` where to find the test and what to do
    /// then.
    async fn expected(test: &str, then: &str, detached: bool) -> (Self, Events) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = listener.local_addr().unwrap().to_string();
        let event = json!({ "line": line, "then": then, "detached": detached }).to_string();
        let events = Events::new(test, &[("a.json", &event)]);
        let members = Vec::new();
        (Family { listener, members }, events)
    }

    /// Waits until both have connected, and lets the original go on.
    async fn gathered(&mut self) {
        for _ in 0..2 {
            self.members.push(self.listener.accept().await.unwrap().0);
        }
        for member in &mut self.members {
            member.write_all(b"!").await.unwrap();
        }
    }

    /// Waits until both have ended.
    async fn gone(mut self) {
        for member in &mut self.members {
            // A process that is killed may reset its connection.
            let ended = timeout(Duration::from_secs(60), member.read(&mut [0])).await;
            ended.expect("a process was left behind").ok();
        }
    }
}

fn started(_: Value, _: Context, callback: Callback) {
    callback.succeed("started".into());
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn nothing_that_an_original_has_started_is_left_behind() {
    for then in ["respond", "exit", "hang"] {
        let (mut family, events) = Family::expected(&format!("family-{then}"), then, false).await;
        let (report, ()) = tokio::join!(
            compared(started, "originals.family", &events),
            family.gathered()
        );
        assert_eq!(report.unwrap().is_same(), then == "respond");
        family.gone().await;
    }
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_comparison_that_is_dropped_leaves_nothing_behind() {
    let (mut family, events) = Family::expected("family-dropped", "hang", false).await;
    tokio::select! {
        biased;
        () = family.gathered() => {}
        compared = compared(started, "originals.family", &events) => panic!("{compared:?}"),
    }
    family.gone().await;
}

/// The detached process has left the process group, and ends when this test ends its connection.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_detached_process_does_not_block_the_comparison() {
    let (mut family, events) = Family::expected("family-detached", "respond", true).await;
    let (report, ()) = tokio::join!(
        compared(started, "originals.family", &events),
        family.gathered()
    );
    assert!(report.unwrap().is_same());
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_comparison_that_is_interrupted_or_killed_leaves_nothing_behind() {
    for signal in ["INT", "TERM", "KILL"] {
        let test = format!("family-{signal}");
        let (mut family, events) = Family::expected(&test, "hang", false).await;
        // A test that runs in the background of a shell ignores SIGINT, which its children would
        // inherit.
        let mut comparison = Command::new("env")
            .arg("--default-signal=INT")
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "bounds::to_be_interrupted"])
            .env("EVENTS", &events.0)
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "600")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        family.gathered().await;
        let pid = comparison.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(kill.unwrap().success());
        assert!(!comparison.wait().unwrap().success());
        family.gone().await;
    }
}

#[tokio::test]
#[ignore = "needs to be started by the test above"]
async fn to_be_interrupted() {
    if let Some(events) = std::env::var_os("EVENTS") {
        let compared = nodeback::parity::compare(hangs, "parity/originals.family", events).await;
        panic!("{compared:?}");
    }
}

/// `./config.json` and the members of an export are found as on Lambda.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_original_runs_in_the_root_of_its_package() {
    let events = Events::new("package", &[("a.json", "{}")]);
    let port = async |_: Value| {
        let setting = "dist/src/index.api.read";
        Ok::<_, Error>(json!({ "greeting": "hello", "inRoot": true, "setting": setting }))
    };
    let original = "package/dist/src/index.api.read";
    let report = compared(port, original, &events).await.unwrap();
    assert!(report.is_same(), "{report}");
}
