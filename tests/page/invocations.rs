//! Invoking from the page, and the details that it shows of an invocation.

use super::Server;
use nodeback::{Callback, Context, Error, ResponseStream, Value, error, json, streamify_response};
use reqwest::{Client, StatusCode};
use std::time::Duration;
use tokio::time::sleep;

fn about(event: Value, context: Context, callback: Callback) {
    callback.succeed(json!({
        "event": event,
        "function": context.function_name,
        "version": context.function_version,
        "memory": context.memory_limit_in_mb,
        "identity": context.identity,
        "arn": context.invoked_function_arn,
        "client": context.client_context,
        "tenant": context.tenant_id,
        "trace": context.xray_trace_id,
        "isLong": context.get_remaining_time_in_millis() > 60_000,
    }));
}

#[tokio::test]
async fn the_page_sets_event_timeout_and_context() {
    let server = Server::start(about).await;
    let members = "memory=1024&qualifier=live&cognitoIdentityId=eu-west-1%3A%C5%BC&cognitoIdentityPoolId=pool";
    let url = server.url(&format!(
        "api/invoke?function=orders&timeout=61.5&{members}"
    ));
    // {"custom":{"a":1}}
    let request = Client::new()
        .post(url)
        .header("x-amz-client-context", "eyJjdXN0b20iOnsiYSI6MX19")
        .header("x-amz-tenant-id", "blue")
        .header("x-amzn-trace-id", "Root=1-2-3")
        .body(r#"{"a":1}"#);
    let started: Value = request.send().await.unwrap().json().await.unwrap();
    let first = server.over(1).await;
    assert_eq!(started["requestId"], first["summary"]["requestId"]);
    let response: Value =
        serde_json::from_str(first["response"]["text"].as_str().unwrap()).unwrap();
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";
    let identity =
        json!({ "cognitoIdentityId": "eu-west-1:\u{17c}", "cognitoIdentityPoolId": "pool" });
    let expected = json!({
        "event": { "a": 1 },
        "function": "orders",
        "version": "$LATEST",
        "memory": "1024",
        "identity": identity,
        "arn": arn,
        "client": { "custom": { "a": 1 } },
        "tenant": "blue",
        "trace": "Root=1-2-3",
        "isLong": true,
    });
    assert_eq!(response, expected);
    assert_eq!(
        first["event"],
        json!({ "text": r#"{"a":1}"#, "size": 7, "isWhole": true, "isKept": true })
    );
    assert_eq!(
        (&first["timeout"], &first["arn"]),
        (&json!(61.5), &json!(arn))
    );
    assert_eq!(first["summary"]["state"], "succeeded");
    assert_eq!(
        [&first["qualifier"], &first["memory"], &first["identity"]],
        [&json!("live"), &json!("1024"), &identity]
    );
    // The report has the memory size that was set.
    let used = &first["memoryUsed"];
    let report = format!("Memory Size: 1024 MB\tMax Memory Used: {used} MB");
    assert!(used.as_u64().unwrap() > 0);
    let log = first["log"].as_str().unwrap();
    assert!(log.contains(&report), "{log}");
    let (duration, billed) = (first["duration"].as_str().unwrap(), &first["billedMs"]);
    let durations = format!("\tDuration: {duration} ms\tBilled Duration: {billed} ms\t");
    assert!(log.contains(&durations), "{log}");

    // A repeated invocation has its own request id.
    let repeated = server.post("api/invocations/1/repeat", "").await;
    assert_eq!(repeated.status(), StatusCode::ACCEPTED);
    let second = server.over(2).await;
    assert_eq!(second["response"], first["response"]);
    assert_eq!(second["timeout"], 61.5);
    assert_ne!(
        second["summary"]["requestId"],
        first["summary"]["requestId"]
    );
    let missing = server.post("api/invocations/3/repeat", "").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_error_is_shown_with_its_log_and_its_timeline() {
    let server = Server::start(|_: Value, _: Context, callback: Callback| {
        let late = callback.clone();
        callback.fail(Error::new("OrderNotFound", "no order 7"));
        late.succeed(json!("too late"));
    })
    .await;
    let failed = server.invoke("").await;
    // An empty body is `{}`, as on Lambda.
    assert_eq!(failed["event"]["text"], "{}");
    let error: Value = serde_json::from_str(failed["error"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(error["errorType"], "OrderNotFound");
    assert!(
        error["trace"].to_string().contains("invocations.rs"),
        "{error}"
    );
    assert_eq!(failed["response"], Value::Null);
    let log = failed["log"].as_str().unwrap();
    for part in ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "] {
        assert!(log.contains(part), "{log}");
    }
    let timeline = server.get("api/invocations/1/timeline").await;
    let timeline = timeline.text().await.unwrap();
    for part in ["<svg", "duplicate signal", "no order 7"] {
        assert!(timeline.contains(part), "{part} is not in {timeline}");
    }
    let saved = server.get("api/invocations/1/response").await;
    assert_eq!(saved.text().await.unwrap(), error.to_string());
}

#[tokio::test]
async fn a_timeout_and_work_after_the_response_are_shown() {
    let server = Server::start(|event: Value, context: Context, callback: Callback| {
        if event == "hang" {
            context.spawn(async move {
                std::future::pending::<()>().await;
                callback.succeed(json!("never"));
            });
            return;
        }
        callback.succeed(json!("written"));
        context.wait_until(sleep(Duration::from_millis(20)));
    })
    .await;
    let started = server
        .post("api/invoke?function=f&timeout=0.05", "\"hang\"")
        .await;
    assert_eq!(started.status(), StatusCode::ACCEPTED);
    let hung = server.over(1).await;
    assert_eq!(hung["summary"]["state"], "timedOut");
    assert!(
        hung["error"]["text"]
            .as_str()
            .unwrap()
            .contains("0.05 seconds")
    );
    let written = server.invoke("{}").await;
    assert_eq!(written["summary"]["state"], "succeeded");
    assert!(written["summary"]["durationMs"].as_f64().unwrap() < 3_000.0);
    let timeline = server.get("api/invocations/2/timeline").await;
    assert!(
        timeline.text().await.unwrap().contains("waits for"),
        "wait_until"
    );
}

#[tokio::test]
async fn an_invocation_is_shown_while_it_runs() {
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let gate = std::sync::Arc::clone(&go);
    let server = Server::start(move |event: Value, _: Context, callback: Callback| {
        let gate = std::sync::Arc::clone(&gate);
        async move {
            gate.notified().await;
            callback.succeed(event);
        }
    })
    .await;
    server.post("api/invoke?function=f&timeout=0", "7").await;
    let running = server.json("api/invocations/1").await;
    assert_eq!(running["summary"]["state"], "running");
    assert_eq!(running["summary"]["durationMs"], Value::Null);
    assert_eq!(running["duration"], Value::Null);
    let none = server.get("api/invocations/1/response").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    go.notify_one();
    assert_eq!(server.over(1).await["response"]["text"], "7");
}

#[tokio::test]
async fn the_start_of_a_streamed_response_is_kept() {
    let chatty = async |event: Value, stream: ResponseStream| {
        for _ in 0..event.as_u64().ok_or_else(|| error!("expected a number"))? {
            stream.write("x".repeat(1_000)).await?;
        }
        stream.end().await
    };
    let server = Server::start(streamify_response(chatty)).await;
    let path = "2021-11-15/functions/f/response-streaming-invocations";
    for (n, count, whole) in [(1, 3, true), (2, 100, false)] {
        let request = Client::new().post(format!("http://{}/{path}", server.address));
        let response = request.body(count.to_string()).send().await.unwrap();
        response.bytes().await.unwrap();
        let streamed = server.over(n).await;
        assert_eq!(streamed["response"]["size"], count * 1_000);
        assert_eq!(streamed["response"]["isKept"], whole);
        let kept = streamed["response"]["text"].as_str().unwrap();
        assert_eq!(kept.len(), (count * 1_000).min(64 * 1024));
    }
    // An invocation from the page keeps the whole response.
    let whole = server.invoke("100").await;
    assert_eq!(whole["response"]["size"], 100_000);
    assert_eq!(whole["response"]["isKept"], true);
}

#[tokio::test]
async fn the_name_of_the_program_may_have_a_qualifier() {
    let server = Server::start(about).await;
    let program = server.json("api/program").await;
    let name = program["name"].as_str().unwrap();
    for (qualifier, version, arn_ends_with) in [
        ("7", "7", ":7"),
        ("live", "$LATEST", ":live"),
        ("", "$LATEST", name),
    ] {
        let path = format!("api/invoke?function={name}&qualifier={qualifier}");
        let started = server.post(&path, "{}").await;
        let started: Value = started.json().await.unwrap();
        let details = server.over(started["n"].as_u64().unwrap()).await;
        assert_eq!(details["functionVersion"], version);
        let arn = details["arn"].as_str().unwrap();
        assert!(arn.ends_with(arn_ends_with), "{arn}");
        let header = json!(["x-amz-executed-version", version]);
        let headers = details["sent"]["headers"].as_array().unwrap();
        assert!(headers.contains(&header), "{headers:?}");
    }
    for (qualifier, expected) in [("a b", "at 'qualifier'"), ("$NEXT", ":$NEXT")] {
        let path = format!("api/invoke?function={name}&qualifier={qualifier}");
        let rejected = server.post(&path, "{}").await.text().await.unwrap();
        assert!(rejected.contains(expected), "{rejected}");
    }
}

#[tokio::test]
async fn invalid_input_of_the_form_is_rejected() {
    let server = Server::start(about).await;
    let large = "1".repeat(6 * 1024 * 1024 + 1);
    for (query, event, expected) in [
        ("function=f&timeout=-1", "{}", "expected seconds from 0"),
        ("function=f&timeout=86401", "{}", "expected seconds from 0"),
        ("function=f&timeout=NaN", "{}", "expected seconds from 0"),
        ("function=f&timeout=x", "{}", "`x`: expected seconds from 0"),
        ("function=f&timeout=", "{}", "expected seconds from 0"),
        ("timeout=1", "{}", "missing field `function`"),
        ("function=f&memory=0", "{}", "expected whole megabytes"),
        ("function=f&memory=10241", "{}", "to 10240"),
        ("function=f&memory=1.5", "{}", "`1.5`: expected whole"),
        ("function=f&memory=1e3", "{}", "expected whole megabytes"),
        ("function=f&memory=-1", "{}", "expected whole megabytes"),
        ("function=f&memory=", "{}", "expected whole megabytes"),
        (
            "function=f&qualifier=%3Cimg%3E",
            "{}",
            "Value '<img>' at 'qualifier'",
        ),
        ("function=f&qualifier=$NEXT", "{}", "Function not found: "),
        ("function=a%20b", "{}", "validation error"),
        (
            "function=f",
            "{\"a\":}",
            "expected value at line 1 column 6",
        ),
        ("function=f", &large, "must be smaller than 6291456 bytes"),
    ] {
        let rejected = server
            .post(&format!("api/invoke?{query}"), event.to_owned())
            .await;
        assert!(rejected.status().is_client_error(), "{query}");
        let rejected: Value = rejected.json().await.unwrap();
        let message = rejected["message"].as_str().unwrap();
        assert!(message.contains(expected), "{query}: {message}");
    }
    let url = server.url("api/invoke?function=f");
    let request = Client::new().post(url).header("x-amz-client-context", "!");
    let rejected = request.send().await.unwrap();
    assert_eq!(rejected.status(), StatusCode::BAD_REQUEST);
    // Nothing was invoked.
    let all = server.feed().await.next().await.unwrap();
    assert_eq!(all["invocations"], json!([]));
}
