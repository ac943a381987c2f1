//! The local server in a real browser: requests of foreign web pages do not reach a function, while
//! those of the user and of the function's own page do. Also tests the page of the local server,
//! with keyboard and mouse, and the page of `--timeline`.

mod common;
mod support;
#[path = "timeline/browser.rs"]
mod timeline;

use common::Log;
use nodeback::{Error, Runtime, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::BufRead,
    path::Path,
    process::Command,
    sync::Arc,
};
use support::{Folder, Process, ROOT, example, live};
use tokio::net::TcpListener;

#[tokio::test]
#[ignore = "needs tests/live/chromium.sh and node"]
async fn no_web_page_reaches_a_function() {
    let log = Log::start();
    let reached = Arc::new(parking_lot::Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&reached);
    let handler = move |event: Value| {
        let path = event["rawPath"].as_str().unwrap_or_default().to_owned();
        let origin = event["headers"]["origin"].as_str().unwrap_or("-");
        let site = event["headers"]["sec-fetch-site"].as_str().unwrap_or("-");
        let referrer = event["headers"]["referer"].as_str().unwrap_or("-");
        let line =
            format!("reached it: sec-fetch-site {site}, origin {origin}, referer {referrer}");
        seen.lock().insert((path, line));
        async {
            let headers = json!({ "content-type": "text/html" });
            Ok::<_, Error>(json!({ "statusCode": 200, "headers": headers, "body": "<p>A page" }))
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let served: futures::future::BoxFuture<'static, _> =
        Box::pin(Runtime::new(handler).serve(listener, std::future::pending()));
    tokio::spawn(served);

    let mut browser = tokio::process::Command::new("node");
    let profile = Folder::new("browser");
    browser.args(["tests/live/browser.js", &port]);
    browser.arg(profile.path(""));
    let output = browser.current_dir(ROOT).output().await.expect("node");
    let mistake = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{mistake}");
    let tried: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();

    let reached = reached.lock();
    let rejected: Vec<_> = log
        .warnings()
        .into_iter()
        .map(|line| line.message)
        .collect();
    let mut wrong = Vec::new();
    for (path, saw) in &tried {
        let reached: Vec<_> = reached.iter().filter(|(to, _)| to == path).collect();
        let end = format!(" {path}, ");
        let rejected: Vec<_> = rejected.iter().filter(|line| line.contains(&end)).collect();
        println!("{path}: the page saw {saw}");
        reached.iter().for_each(|(_, line)| println!("    {line}"));
        rejected.iter().for_each(|line| println!("    {line}"));
        // Each request was either handled or rejected, so it was sent.
        let passes = path.starts_with("/own/") || path.starts_with("/typed/");
        if (!reached.is_empty(), rejected.is_empty()) != (passes, passes) {
            wrong.push(path);
        }
    }
    assert!(tried.len() > 80, "{} requests", tried.len());
    assert_eq!(wrong, [""; 0]);
    // A rejected page causes no further requests, such as for its icon.
    let of_rejected: Vec<_> = reached
        .iter()
        .filter(|(_, line)| line.contains("-site/"))
        .collect();
    assert!(of_rejected.is_empty(), "{of_rejected:?}");
    // The navigation of the user reached the function.
    assert!(reached.iter().any(|(path, _)| path == "/page"));
}

/// Writes its screenshots to `target/page`.
#[test]
#[ignore = "needs tests/live/chromium.sh, tests/live/python.sh and node"]
fn the_page_works_with_keyboard_and_mouse() {
    let folder = Folder::new("page");
    let events = folder.path("events");
    fs::create_dir(&events).unwrap();
    fs::write(events.join("empty.json"), "{}").unwrap();
    let hostile = "<img src=x onerror='window.pwned = 3'>.json";
    fs::write(events.join(hostile), "{}").unwrap();
    let mut function = example("page_function");
    let function = function.args(["--listen=127.0.0.1:0", "--events"]);
    let mut function = Process::spawn(function.arg(events));
    let mut lines = function.stdout().lines().map(Result::unwrap);
    let page = lines.find_map(|line| line.strip_prefix("Page: ").map(String::from));
    let page = page.expect("its address");
    let port = page.rsplit(':').next().unwrap();
    let port = port.trim_end_matches("/_nodeback/");

    let screenshots = Path::new(ROOT).join("target/page");
    fs::create_dir_all(&screenshots).unwrap();
    let mut browser = Command::new("node");
    browser.current_dir(ROOT).args(["tests/live/page.js", port]);
    browser.arg(folder.path("profile")).arg(screenshots);
    browser.arg(live("page/node_modules/axe-core/axe.min.js"));
    let output = browser.output().expect("node");
    let mistake = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{mistake}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(found["problems"], json!([]));
    for (state, violations) in found["axe"].as_object().unwrap() {
        assert_eq!(*violations, json!([]), "{state}");
    }
    assert_eq!(found["axe"].as_object().unwrap().len(), 2);
    assert_eq!(found["shifts"], json!([]), "of the layout");
    println!("presses of the tab key: {}", found["pressesToInvoke"]);
    let requests = found["requests"].as_array().unwrap();
    assert!(requests.len() > 50, "{requests:?}");
    let own = format!("http://localhost:{port}/_nodeback/");
    for request in requests {
        assert!(request.as_str().unwrap().starts_with(&own), "{request}");
    }

    // The copied commands have the same result as the page.
    let mut expected = String::new();
    for kind in ["curl", "aws"] {
        let snippet = found["snippets"][kind].as_str().unwrap();
        let mut shell = Command::new("bash");
        let headers = folder.path("headers");
        let dumps = format!("curl --dump-header {} ", headers.display());
        let snippet = snippet.replacen("curl ", &dumps, 1);
        let shell = shell.args(["-c", &snippet]);
        let path = format!("{}:/usr/bin:/bin", live("python/bin").display());
        let run = shell.env("PATH", path).output().expect("bash");
        let stdout = String::from_utf8(run.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr);
        // The AWS CLI prints more after the response.
        let error = stdout.split_inclusive('}').next().unwrap_or_default();
        assert!(
            error.contains("<script>window.pwned = 1"),
            "{kind}: {stdout}{stderr}"
        );
        if expected.is_empty() {
            expected = error.to_owned();
        }
        assert_eq!(error, expected, "{kind}");
        if kind == "curl" {
            let received = fs::read_to_string(headers).unwrap();
            let shown: Vec<String> = serde_json::from_value(found["headers"].clone()).unwrap();
            assert_eq!(shown, shown_headers(&received, &shown));
        }
    }
    let copied = include_str!("page/copied.rs");
    let snippet = found["snippets"]["rust"].as_str().unwrap();
    assert!(
        copied.ends_with(snippet),
        "tests/page/copied.rs has to end with:\n{snippet}"
    );
}

/// Returns the status line and the headers that curl received in the form of the page, without those
/// that the connection adds. Each invocation has its own request id, so this is replaced.
fn shown_headers(received: &str, shown: &[String]) -> Vec<String> {
    const ID: &str = "x-amzn-requestid: ";
    let id = shown.iter().find(|line| line.starts_with(ID));
    let id = id.expect("a request id");
    let lines = received.lines().filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with("date: "))
        .map(|line| match line.strip_prefix("HTTP/1.1 ") {
            Some(status) => status.into(),
            None if line.starts_with(ID) => id.clone(),
            None => line.into(),
        })
        .collect()
}
