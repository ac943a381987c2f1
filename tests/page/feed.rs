//! The list of invocations, which arrives live.

use super::Server;
use nodeback::{Callback, Context, Error, LocalRoutes, Value, exports, json};
use reqwest::{Client, StatusCode};
use std::collections::BTreeSet;

fn echo(event: Value, _: Context, callback: Callback) {
    callback.succeed(event)
}

fn numbers(changes: &Value) -> Vec<u64> {
    let invocations = changes["invocations"].as_array().unwrap().iter();
    invocations
        .map(|summary| summary["n"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn invocations_of_every_client_arrive_live() {
    let runtime = exports().handler("first", echo).handler("second", echo);
    let routes = LocalRoutes::new()
        .rest("first=POST /rest")
        .http_api("first=POST /http")
        .alb("first=/alb");
    let server = Server::of(runtime.local_routes(routes)).await;
    let mut feed = server.feed().await;
    assert_eq!(
        feed.next().await.unwrap(),
        json!({ "first": 1, "invocations": [] })
    );
    let url = |path: &str| format!("http://{}/{path}", server.address);
    let api = "2015-03-31/functions/first/invocations";
    for (path, kind) in [
        (api, "RequestResponse"),
        (api, "Event"),
        (api, "DryRun"),
        (
            "2021-11-15/functions/first/response-streaming-invocations",
            "RequestResponse",
        ),
        ("2014-11-13/functions/first/invoke-async", ""),
        ("lambda-url/second/path", "RequestResponse"),
        ("rest", ""),
        ("http", ""),
        ("alb", ""),
    ] {
        let request = Client::new().post(url(path)).body("{}");
        let request = match kind {
            "" => request,
            kind => request.header("x-amz-invocation-type", kind),
        };
        // What the function echoes is not a response for every gateway.
        let status = request.send().await.unwrap().status();
        assert!(!status.is_client_error(), "{path}: {status}");
    }
    let started = server
        .post("api/invoke?function=second", r#"{"a":1}"#)
        .await;
    assert_eq!(started.status(), StatusCode::ACCEPTED);
    // A dry run invokes nothing.
    let mut over = BTreeSet::new();
    while over.len() < 9 {
        let changes = feed.next().await.unwrap();
        assert_eq!(changes["first"], 1);
        for summary in changes["invocations"].as_array().unwrap() {
            if summary["over"] == true {
                assert_eq!(summary["state"], "succeeded");
                let function = summary["function"].as_str().unwrap().to_owned();
                let client = summary["client"].as_str().unwrap().to_owned();
                over.insert((summary["n"].as_u64().unwrap(), function, client));
            }
        }
    }
    let expected = [
        (1, "first", "invoke"),
        (2, "first", "event"),
        (3, "first", "invokeWithResponseStream"),
        (4, "first", "event"),
        (5, "second", "functionUrl"),
        (6, "first", "restApi"),
        (7, "first", "httpApi"),
        (8, "first", "loadBalancer"),
        (9, "second", "page"),
    ];
    let over = over.iter();
    let over: Vec<_> = over
        .map(|(n, name, client)| (*n, name.as_str(), client.as_str()))
        .collect();
    assert_eq!(over, expected);
}

#[tokio::test]
async fn a_page_that_is_opened_later_receives_the_earlier_invocations() {
    let server = Server::start(|event: Value, _: Context, callback: Callback| {
        callback.fail(Error::new("NotFound", event.to_string()))
    })
    .await;
    server.invoke("7").await;
    let mut later = server.feed().await;
    let all = later.next().await.unwrap();
    assert_eq!(numbers(&all), [1]);
    let summary = &all["invocations"][0];
    assert_eq!(summary["state"], "failed");
    assert_eq!(summary["error"], "NotFound: 7");
    assert_eq!(summary["over"], true);
    assert!(summary["durationMs"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn the_list_ends_when_the_server_stops() {
    let server = Server::start(echo).await;
    let mut feed = server.feed().await;
    feed.next().await.unwrap();
    // This waits for all connections to end.
    server.end().await;
    assert_eq!(feed.next().await, None);
}

#[tokio::test]
async fn at_most_32_pages_may_be_open() {
    let server = Server::start(echo).await;
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(server.feed().await);
    }
    let rejected = server.get("api/invocations").await;
    assert_eq!(rejected.status(), StatusCode::SERVICE_UNAVAILABLE);
    let rejected = rejected.text().await.unwrap();
    assert!(rejected.contains("32 pages are open already"), "{rejected}");
    // Other requests are still served.
    let page = server.get("").await;
    assert_eq!(page.status(), StatusCode::OK);
    drop(open);
    // Waits until the server notices that they are closed.
    while server.get("api/invocations").await.status() != StatusCode::OK {}
}

#[tokio::test]
async fn the_oldest_invocations_are_removed() {
    let server = Server::start(echo).await;
    let client = Client::new();
    for n in 1..=502 {
        let path = "2015-03-31/functions/f/invocations";
        let request = client.post(format!("http://{}/{path}", server.address));
        request.body(n.to_string()).send().await.unwrap();
    }
    let all = server.feed().await.next().await.unwrap();
    assert_eq!(all["first"], 3);
    assert_eq!(numbers(&all), (3..=502).collect::<Vec<_>>());
    assert_eq!(
        server.get("api/invocations/2").await.status(),
        StatusCode::NOT_FOUND
    );
    let third = server.json("api/invocations/3").await;
    assert_eq!(third["event"]["text"], "3");
}

#[tokio::test]
async fn large_invocations_are_removed_sooner() {
    let server = Server::start(echo).await;
    for _ in 0..4 {
        let event = format!("\"{}\"", "x".repeat(5 * 1024 * 1024));
        let last = server.invoke(event).await;
        assert_eq!(last["response"]["size"], 5 * 1024 * 1024 + 2);
        assert_eq!(last["response"]["isWhole"], false);
        let shown = last["response"]["text"].as_str().unwrap();
        assert_eq!(shown.len(), 128 * 1024);
    }
    // Each has an event and a response, and there is room for 32 MB.
    let all = server.feed().await.next().await.unwrap();
    assert_eq!(numbers(&all), [2, 3, 4]);
}
