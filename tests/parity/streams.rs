//! Originals that stream, and their ports: those of `tests/streaming`, with a recording of Node and
//! the accepted differences, and those of `streams.js`.
//!
//! Three cases of `tests/streaming` that write after the end are left out, since whether Node's
//! process sends the end before it exits differs from run to run.

use super::{Events, compared, lines};
#[allow(dead_code, reason = "the other tests of it use all of it")]
#[path = "../streaming/ports.rs"]
mod ports;

use nodeback::{
    Error, HttpResponseStream, ResponseStream, Value, json,
    parity::{Comparison, compare, compare_recorded, record},
    streamify_response,
};
use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

const ORIGINAL: &str = "streaming/legacy/originals.handler";
const EVENTS: &str = "streaming/events";

#[tokio::test]
async fn each_stream_is_the_same_as_recorded() {
    let port = streamify_response(ports::handler);
    let report = compare_recorded(port, ORIGINAL, EVENTS).await.unwrap();
    assert!(report.is_same(), "{report}");
}

/// Records what Node does if `RECORD` is in the environment.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn each_stream_is_the_same_on_node() {
    let port = streamify_response(ports::handler);
    let report = match std::env::var_os("RECORD") {
        Some(_) => record(port, ORIGINAL, EVENTS).await,
        None => compare(port, ORIGINAL, EVENTS).await,
    };
    let report = report.unwrap();
    assert!(report.is_same(), "{report}");
}

fn page(stream: ResponseStream, status: u16) -> ResponseStream {
    let headers = json!({ "Content-Type": "text/html" });
    let metadata = json!({ "statusCode": status, "headers": headers, "cookies": ["a=1"] });
    HttpResponseStream::from(stream, metadata)
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn what_differs_in_a_stream_has_its_place() {
    let events = Events::new("streamed-page", &[("a.json", "{}")]);
    // The chunk boundaries differ.
    let same = async |_: Value, stream: ResponseStream| {
        let stream = page(stream, 200);
        stream.write("<h1>Orders</h1>\n<p>7").await?;
        stream.end_with("</p>\n<p>8</p>\n").await
    };
    let report = compared(streamify_response(same), "streams.page", &events);
    let report = report.await.unwrap();
    assert_eq!(
        lines(&report, &events),
        ["a.json same streamed", "1 event: 1 same"]
    );
    assert!(report.to_html().contains("Both streamed their responses."));

    let other = async |_: Value, stream: ResponseStream| {
        let stream = page(stream, 201);
        stream
            .end_with("<h1>Orders</h1>\n<p>9</p>\n<p>8</p>\n")
            .await
    };
    let report = compared(streamify_response(other), "streams.page", &events);
    let report = report.await.unwrap();
    assert_eq!(
        lines(&report, &events)[..3],
        [
            "a.json differs streamed",
            "metadata/statusCode 200 | 201",
            "body/1 <p>7</p> | <p>9</p>",
        ]
    );
    let html = report.to_html();
    for part in [
        "&lt;p&gt;<del>7</del>&lt;/p&gt;",
        "Content-Type: application/vnd.awslambda.http-integration-response",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    let accepted = r#"{ "ignore": ["metadata/statusCode"], "accepted": [
        { "event": "a.json", "path": "body/1", "reason": "another order" }
    ] }"#;
    fs::write(events.0.join("parity.json"), accepted).unwrap();
    let report = compared(streamify_response(other), "streams.page", &events);
    let report = report.await.unwrap();
    assert!(report.is_same(), "{report}");

    let bytes = async |_: Value, stream: ResponseStream| {
        stream.set_content_type("image/gif")?;
        stream
            .end_with([vec![0xff; 100], vec![1, 7]].concat())
            .await
    };
    let events = Events::new("streamed-bytes", &[("a.json", "{}")]);
    let report = compared(streamify_response(bytes), "streams.bytes", &events);
    let report = report.await.unwrap();
    assert_eq!(
        lines(&report, &events)[1..3],
        [
            "contentType image/png | image/gif",
            "body 02 03 (from byte 101 of 103) | 07 (from byte 101 of 102)",
        ]
    );
    let html = report.to_html();
    assert!(html.contains("00000060  ff ff ff ff 01 "), "{html}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn errors_before_the_first_byte_and_in_the_middle_are_compared() {
    let text = [("a.json", r#"{"first":true}"#), ("b.json", "{}")];
    let events = Events::new("streamed-errors", &text);
    let fails = |message: &'static str| {
        streamify_response(move |event: Value, stream: ResponseStream| async move {
            if event["first"] != true {
                stream.write("a\n").await?;
            }
            Err::<(), _>(Error::new("TypeError", message))
        })
    };
    let report = compared(fails("no order 7"), "streams.fails", &events).await;
    let report = report.unwrap();
    assert!(report.is_same(), "{report}");
    let report = compared(fails("no order: 7"), "streams.fails", &events).await;
    let report = report.unwrap();
    let message = r#"/errorMessage "no order 7" | "no order: 7""#;
    assert_eq!(
        lines(&report, &events),
        [
            "a.json differs streamed",
            message,
            "b.json differs streamed",
            message,
            "2 events: 0 same, 2 differ",
        ]
    );
    let ends = async |_: Value, stream: ResponseStream| stream.end_with("b\n").await;
    let report = compared(streamify_response(ends), "streams.fails", &events);
    let report = report.await.unwrap();
    let error =
        r#"the stream ended with the error {"errorType":"TypeError","errorMessage":"no order 7"}"#;
    assert_eq!(
        lines(&report, &events)[3..6],
        [
            "b.json differs streamed",
            &format!("outcome {error} | the stream ended"),
            "body/0 a | b",
        ]
    );
}

/// The line of the failure is compared as the end of the stream.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn the_log_of_a_stream_is_compared() {
    let events = Events::new("streamed-log", &[("a.json", r#"{"log":"tea"}"#)]);
    let logs = |text: &'static str| {
        streamify_response(move |_: Value, stream: ResponseStream| async move {
            tracing::info!("{text}");
            stream.write("a\n").await?;
            Err::<(), _>(Error::new("TypeError", "no order 7"))
        })
    };
    let comparison = || Comparison::new("parity/streams.fails", &events.0).logs();
    let report = comparison().run(logs("order of tea")).await.unwrap();
    assert!(report.is_same(), "{report}");
    let report = comparison().run(logs("order of milk")).await.unwrap();
    assert_eq!(
        lines(&report, &events)[1],
        "log/0 INFO order of tea | INFO order of milk"
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_stream_is_compared_with_a_response_that_is_not_streamed() {
    let events = Events::new("streamed-one", &[("a.json", "{}")]);
    let streams = async |_: Value, stream: ResponseStream| {
        let headers = json!({ "Content-Type": "text/html" });
        let metadata = json!({ "statusCode": 200, "headers": headers });
        HttpResponseStream::from(stream, metadata)
            .end_with("<h1>Order</h1>")
            .await
    };
    let report = compared(streamify_response(streams), "streams.buffered", &events);
    let report = report.await.unwrap();
    assert_eq!(
        lines(&report, &events)[..3],
        [
            "a.json differs",
            "mode not streamed | streamed",
            r#"/body "<h1>Orders</h1>" | "<h1>Order</h1>""#,
        ]
    );
    let buffered = async |_: Value| {
        Ok::<_, Error>(json!({
            "statusCode": 200,
            "headers": { "Content-Type": "text/html" },
            "cookies": ["a=1"],
            "body": "<h1>Orders</h1>\n<p>7</p>\n<p>8</p>\n",
        }))
    };
    let report = compared(buffered, "streams.page", &events).await.unwrap();
    assert_eq!(
        lines(&report, &events),
        [
            "a.json differs",
            "mode streamed | not streamed",
            "1 event: 0 same, 1 differs"
        ]
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_process_that_exits_in_the_middle_of_a_stream_does_not_block_the_comparison() {
    let events = Events::new("streamed-exit", &[("a.jsonl", "{}\n{}\n")]);
    let ends = async |_: Value, stream: ResponseStream| stream.end_with("a\nb\n").await;
    let report = compared(streamify_response(ends), "streams.exits", &events);
    let report = report.await.unwrap();
    let differs =
        |line| format!("a.jsonl:{line} differs streamed the process of Node exited with 3)");
    let outcome = "outcome no end before the deadline or the end of the process | the stream ended";
    assert_eq!(
        lines(&report, &events),
        [
            &differs(1),
            outcome,
            &differs(2),
            outcome,
            "2 events: 0 same, 2 differ"
        ]
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_original_may_go_on_after_the_end_of_its_stream() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let events = Events::new("streamed-on", &[("a.jsonl", "{}\n{}\n")]);
    let counts = async |_: Value, stream: ResponseStream| {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        stream.end_with(calls.to_string()).await
    };
    let report = compared(streamify_response(counts), "streams.works_on", &events);
    let report = report.await.unwrap();
    assert_eq!(
        lines(&report, &events),
        [
            "a.jsonl:1 same streamed",
            "a.jsonl:2 same streamed",
            "2 events: 2 same"
        ]
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_stream_that_was_recorded_is_compared_without_node() {
    let events = Events::new("streamed-recorded", &[("a.json", "{}")]);
    let port = |status| {
        streamify_response(move |_: Value, stream: ResponseStream| async move {
            page(stream, status)
                .end_with("<h1>Orders</h1>\n<p>7</p>\n<p>8</p>\n")
                .await
        })
    };
    let original = "parity/streams.page";
    let report = record(port(200), original, &events.0).await.unwrap();
    assert!(report.is_same(), "{report}");
    let report = compare_recorded(port(200), original, &events.0).await;
    assert!(report.unwrap().is_same());
    let report = compare_recorded(port(201), original, &events.0).await;
    let report = report.unwrap().to_string();
    assert!(
        report.contains("metadata/statusCode   200 | 201"),
        "{report}"
    );

    let events = Events::new("streamed-recorded-bytes", &[("a.json", "{}")]);
    let bytes = streamify_response(async |_: Value, stream: ResponseStream| {
        stream.set_content_type("image/png")?;
        stream
            .end_with([vec![0xff; 100], vec![1, 2, 3]].concat())
            .await
    });
    let original = "parity/streams.bytes";
    let report = record(bytes.clone(), original, &events.0).await.unwrap();
    assert!(report.is_same(), "{report}");
    let report = compare_recorded(bytes, original, &events.0).await;
    assert!(report.unwrap().is_same());
}
