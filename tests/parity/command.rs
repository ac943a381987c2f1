//! Specifies `--requests` on the command line. It has no test harness, since the program is started
//! again with its own arguments: with `--against` it is the port, and otherwise the test of it.
//! With `--include-ignored` it needs node and npm.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "requests/port.rs"]
mod port;

use nodeback::{Result, Value, json};
use port::{Aws, port};
use std::{env, fs, path::Path, process::Output, thread, time::Duration};
use tokio::process::Command;

const ORIGINAL: &str = "parity/requests/legacy/index.handler";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    if arguments.any(|argument| argument == "--against") {
        return program().await;
    }
    mistakes_are_reported().await;
    if env::args().any(|argument| argument.ends_with("ignored")) {
        requests_are_compared().await;
        println!("requests_are_compared ok");
    }
    Ok(())
}

/// The port. Like an AWS client, it reads its endpoint before the command line is parsed, and then
/// sends a request.
async fn program() -> Result<()> {
    let endpoint = env::var("AWS_ENDPOINT_URL").unwrap_or_default();
    let first = json!({ "steps": [[{ "operation": "GetItem", "body": { "Key": "main" } }]] });
    // There may be no server.
    let _ = port(&endpoint, &first).await;
    let key = env::var("KEY").ok();
    let blocks = env::var("BLOCKS").is_ok();
    nodeback::run(move |mut event: Value| {
        if let Some(key) = &key {
            event["steps"][0][0]["body"]["Key"] = key.as_str().into();
        }
        if blocks {
            thread::sleep(Duration::from_millis(1500));
        }
        let endpoint = endpoint.clone();
        async move { port(&endpoint, &event).await }
    })
    .await
}

async fn ran(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .env_remove("AWS_ENDPOINT_URL")
        .args(["--against", ORIGINAL, "--requests"]);
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .kill_on_drop(true);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await.unwrap();
    let printed = [stdout, stderr].concat();
    (
        status.code(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}

async fn mistakes_are_reported() {
    let (code, printed) = ran(&["events"], &[]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(
        printed.contains("`--requests` expects `AWS_ENDPOINT_URL`"),
        "{printed}"
    );
    let (code, printed) = ran(&["events"], &[("AWS_ENDPOINT_URL", "https://aws.example")]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("expected a local server"), "{printed}");
    let (code, printed) = ran(&["events"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("cannot be reached"), "{printed}");
    let (code, printed) = ran(&["events"], &[("NODEBACK_REQUEST_RECORDER", "x")]).await;
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("must not be set"), "{printed}");
}

async fn requests_are_compared() {
    let events = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parity/command");
    fs::create_dir_all(&events).unwrap();
    let event = json!({ "steps": [[{ "operation": "PutItem", "body": { "Key": 1, "Item": 2 } }]] });
    fs::write(events.join("a.json"), event.to_string()).unwrap();
    let folder = events.to_str().unwrap();

    let aws = Aws::default();
    let url = aws.start().await;
    let (code, printed) = ran(&[folder, "--record"], &[("AWS_ENDPOINT_URL", &url)]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("  1 request\n"), "{printed}");
    // `main` runs twice; the second time through the recorder.
    let main = r#"GetItem "main""#;
    let loaded = r#"GetItem "sent while the file is loaded""#;
    assert_eq!(*aws.requests.lock(), [main, main, loaded, "PutItem 1"]);

    let (code, printed) = ran(&[folder], &[("AWS_ENDPOINT_URL", &url), ("KEY", "7")]).await;
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains(r#"requests/0/body/Key   1 | "7""#),
        "{printed}"
    );

    let (code, printed) = ran(&[folder, "--recorded"], &[]).await;
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = ran(&[folder, "--recorded"], &[("KEY", "7")]).await;
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains(r#"requests/0/body/Key   1 | "7""#),
        "{printed}"
    );

    let blocks = [("BLOCKS", "1"), ("AWS_LAMBDA_FUNCTION_TIMEOUT", "1")];
    let (code, printed) = ran(&[folder, "--recorded"], &blocks).await;
    assert_eq!(code, Some(1), "{printed}");
    let line = "a.json: the port blocks its thread beyond the deadline, and cannot be stopped.";
    assert!(printed.contains(line), "{printed}");
    assert!(
        printed.contains("no response before the deadline"),
        "{printed}"
    );
}
