//! The local server and a real browser: what a web page of another origin tries does not reach a function, and what
//! the user and the function's own page do does.

mod common;
mod support;

use common::Log;
use nodeback::{Error, Runtime, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use support::{Folder, ROOT};
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
    let refused: Vec<_> = log
        .warnings()
        .into_iter()
        .map(|line| line.message)
        .collect();
    let mut wrong = Vec::new();
    for (path, saw) in &tried {
        let reached: Vec<_> = reached.iter().filter(|(to, _)| to == path).collect();
        let end = format!(" {path}, ");
        let refused: Vec<_> = refused.iter().filter(|line| line.contains(&end)).collect();
        println!("{path}: the page saw {saw}");
        reached.iter().for_each(|(_, line)| println!("    {line}"));
        refused.iter().for_each(|line| println!("    {line}"));
        // Exactly one of them, so that each request is known to have been sent.
        let passes = path.starts_with("/own/") || path.starts_with("/typed/");
        if (!reached.is_empty(), refused.is_empty()) != (passes, passes) {
            wrong.push(path);
        }
    }
    assert!(tried.len() > 80, "{} requests", tried.len());
    assert_eq!(wrong, [""; 0]);
    // Nor does a page that was refused, as for its icon.
    let of_refused: Vec<_> = reached
        .iter()
        .filter(|(_, line)| line.contains("-site/"))
        .collect();
    assert!(of_refused.is_empty(), "{of_refused:?}");
    // The user's own navigation.
    assert!(reached.iter().any(|(path, _)| path == "/page"));
}
