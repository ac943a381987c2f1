//! Specifies the comparison of the requests that both sides send to AWS.

#[path = "requests/port.rs"]
mod port;

use super::{Events, lines};
use nodeback::{
    Value, json,
    parity::{Comparison, ParityReport, RequestRecorder},
};
use port::{Aws, port};
use std::sync::Arc;
use tokio::sync::Barrier;

const ORIGINAL: &str = "parity/requests/legacy/index.handler";

/// Compares the original with a port whose event `change` has modified.
async fn compared(
    comparison: Comparison,
    recorder: &RequestRecorder,
    change: fn(&mut Value),
) -> nodeback::Result<ParityReport> {
    let endpoint = recorder.endpoint().to_owned();
    let handler = move |mut event: Value| {
        change(&mut event);
        let endpoint = endpoint.clone();
        async move { port(&endpoint, &event).await }
    };
    comparison.requests(recorder).run(handler).await
}

fn put(key: u32, item: &Value) -> Value {
    json!({ "operation": "PutItem", "body": { "Key": key, "Item": item } })
}

fn get(key: u32) -> Value {
    json!({ "operation": "GetItem", "body": { "Key": key } })
}

fn step(event: &mut Value, at: usize) -> &mut Vec<Value> {
    event["steps"][at].as_array_mut().unwrap()
}

/// Returns an event of two sequential requests, then two concurrent ones.
fn event() -> String {
    let item = json!({ "name": "Ada", "tags": ["a", "b"] });
    json!({ "steps": [[put(1, &item)], [get(1)], [put(2, &item), put(3, &item)]] }).to_string()
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn each_break_of_a_request_is_found() {
    let events = Events::new("requests", &[("a.json", &event())]);
    let unknown =
        r#"{"__type":"NotSentByOriginal","message":"the original did not send this request"}"#;
    let more = format!(r#"/1/1 undefined | {{"status":400,"body":{unknown}}}"#);
    let order = "requests in the order 0 dynamodb PutItem, 1 dynamodb GetItem, 2 dynamodb PutItem, 3 dynamodb PutItem \
                 | in the order 1 dynamodb GetItem, 0 dynamodb PutItem, 2 dynamodb PutItem, 3 dynamodb PutItem";
    type Case<'a> = (fn(&mut Value), &'a [&'a str]);
    let cases: [Case<'_>; 9] = [
        (|_| (), &[]),
        // The order of keys and of concurrent requests does not matter to AWS.
        (
            |event| {
                let body = event["steps"][0][0]["body"].as_object_mut().unwrap();
                let key = body.shift_remove("Key").unwrap();
                body.insert("Key".into(), key);
            },
            &[],
        ),
        (|event| step(event, 2).reverse(), &[]),
        (
            |event| event["steps"][0][0]["body"]["Item"]["name"] = "ada".into(),
            &[r#"requests/0/body/Item/name "Ada" | "ada""#],
        ),
        (
            |event| event["steps"][1][0]["body"] = json!({ "key": 1 }),
            &[
                "requests/1/body/Key 1 | undefined",
                "requests/1/body/key undefined | 1",
            ],
        ),
        (
            |event| event["steps"][1][0]["body"]["Key"] = json!(1.0),
            &["requests/1/body/Key 1 | 1.0"],
        ),
        (
            |event| step(event, 1).push(get(9)),
            &[
                &more,
                r#"requests/4 undefined | dynamodb GetItem {"body":{"Key":9}}"#,
            ],
        ),
        (
            |event| step(event, 1).clear(),
            &[
                r#"/1/0 {"status":200,"body":{"Item":{"name":"Ada","tags":["a","b"]}}} | undefined"#,
                r#"requests/1 dynamodb GetItem {"body":{"Key":1}} | undefined"#,
            ],
        ),
        (
            |event| event["steps"].as_array_mut().unwrap().swap(0, 1),
            &[
                r#"/0/0/body/Item undefined | {"name":"Ada","tags":["a","b"]}"#,
                r#"/1/0/body/Item {"name":"Ada","tags":["a","b"]} | undefined"#,
                order,
            ],
        ),
    ];
    for (change, expected) in cases {
        let aws = Aws {
            concurrent: Some(Arc::new(Barrier::new(2))),
            ..Aws::default()
        };
        let recorder = RequestRecorder::start(&aws.start().await).unwrap();
        let comparison = Comparison::new(ORIGINAL, &events.0);
        let report = compared(comparison, &recorder, change).await.unwrap();
        let lines = lines(&report, &events);
        assert_eq!(lines[1..lines.len() - 1], *expected, "{report}");
        assert_eq!(report.is_same(), expected.is_empty());
    }
}

/// The server accepts each item only once, so that requests of the port must not reach it.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn the_port_gets_the_responses_that_the_original_got() {
    let events = Events::new(
        "requests-once",
        &[("a.jsonl", &format!("{0}\n{0}\n", event()))],
    );
    let aws = Aws::default();
    let recorder = RequestRecorder::start(&aws.start().await).unwrap();
    let report = compared(Comparison::new(ORIGINAL, &events.0), &recorder, |_| ())
        .await
        .unwrap();
    assert!(report.is_same(), "{report}");
    let text = report.to_string();
    assert!(text.contains("  4 requests\n"), "{text}");
    let mut requests = aws.requests.lock().clone();
    assert_eq!(
        requests.remove(0),
        r#"GetItem "sent while the file is loaded""#
    );
    assert_eq!(requests.len(), 8, "{requests:?}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn differences_of_requests_are_ignored_and_accepted_by_their_path() {
    let settings = r#"{
        "ignore": ["requests/*/body/Item/tags"],
        "accepted": [{ "event": "a.json", "path": "requests/0/body/Item/name", "reason": "in lower case" }]
    }"#;
    let files = [("a.json", &*event()), ("parity.json", settings)];
    let events = Events::new("requests-accepted", &files);
    let recorder = RequestRecorder::start(&Aws::default().start().await).unwrap();
    let change = |event: &mut Value| {
        event["steps"][0][0]["body"]["Item"] = json!({ "name": "ada", "tags": [] });
    };
    let report = compared(Comparison::new(ORIGINAL, &events.0), &recorder, change)
        .await
        .unwrap();
    assert!(report.is_same(), "{report}");
    assert!(
        report.to_string().contains("accepted: in lower case"),
        "{report}"
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn recorded_requests_need_no_server() {
    let events = Events::new("requests-recorded", &[("a.json", &event())]);
    let comparison = Comparison::new(ORIGINAL, &events.0);
    let recorder = RequestRecorder::start(&Aws::default().start().await).unwrap();
    let report = compared(comparison.clone().record(), &recorder, |_| ())
        .await
        .unwrap();
    assert!(report.is_same(), "{report}");

    let recorder = RequestRecorder::without_server().unwrap();
    let recorded = comparison.clone().recorded();
    let report = compared(recorded.clone(), &recorder, |_| ()).await.unwrap();
    assert!(report.is_same(), "{report}");
    let change = |event: &mut Value| event["steps"][1][0]["body"]["Key"] = 7.into();
    let report = compared(recorded.clone(), &recorder, change).await.unwrap();
    assert_eq!(
        lines(&report, &events)[1],
        "requests/1/body/Key 1 | 7",
        "{report}"
    );
}

#[tokio::test]
async fn mistakes_of_a_recorder_say_what_was_expected() {
    for url in [
        "https://127.0.0.1:5000",
        "127.0.0.1:5000",
        "http://a/b",
        "http://",
        "",
    ] {
        let error = RequestRecorder::start(url).unwrap_err();
        assert_eq!(error.error_type(), "Runtime.RequestRecorderError");
        assert!(
            error.message().contains("expected a local server"),
            "{error}"
        );
    }
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_server_that_cannot_be_reached_is_named() {
    let events = Events::new("requests-nowhere", &[("a.json", &event())]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let recorder = RequestRecorder::start(&format!("http://{address}")).unwrap();
    let error = compared(Comparison::new(ORIGINAL, &events.0), &recorder, |_| ())
        .await
        .unwrap_err();
    assert!(error.message().contains(&address.to_string()), "{error}");
}

/// The recorder has a thread of its own, so that it responds to a port that blocks the only one of
/// this test.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_port_may_block_its_thread_and_one_that_sends_nothing_is_named() {
    use std::io::{Read, Write};
    let steps = json!({ "steps": [[get(1)]] });
    let events = Events::new("requests-blocking", &[("a.json", &steps.to_string())]);
    let url = Aws::default().start().await;
    let recorder = RequestRecorder::start(&url).unwrap();
    let address = recorder.endpoint().trim_start_matches("http://").to_owned();
    let blocks = move |_: Value| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let body = r#"{"Key":1}"#;
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\
             authorization: Credential=k/d/r/dynamodb/aws4_request\r\nx-amz-target: D.GetItem\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (_, body) = response.split_once("\r\n\r\n").unwrap();
        let body: Value = nodeback::js::parse(body).unwrap();
        async move { Ok::<_, nodeback::Error>(json!([[{ "status": 200, "body": body }]])) }
    };
    let comparison = Comparison::new(ORIGINAL, &events.0).requests(&recorder);
    let report = comparison.clone().run(blocks).await.unwrap();
    assert!(report.is_same(), "{report}");

    let silent = async |_: Value| Ok::<_, nodeback::Error>(json!([]));
    let report = comparison.run(silent).await.unwrap().to_string();
    assert!(
        report.contains("\nthe port sent no request to the recorder"),
        "{report}"
    );
    assert!(!report.contains("the original sent no"), "{report}");
}
