//! Responses that the local server streams: through function URLs, through
//! `InvokeWithResponseStream`, and to clients that do not read a stream.

mod common;

use common::Log;
use futures::future::BoxFuture;
use nodeback::{
    Bytes, Context, Error, HttpResponseStream, LocalRoutes, ResponseStream, Result, Runtime, Value,
    error, json, streamify_response,
};
use reqwest::{Client, Response, StatusCode};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    time::timeout,
};

/// A served handler, for as long as the test runs.
struct LocalServer {
    address: SocketAddr,
    /// Each permit lets the handler go on by one step.
    go_on: Arc<Semaphore>,
    /// The errors of failed writes. For a HEAD request, the report that all was written.
    failures: mpsc::UnboundedReceiver<Error>,
}

const MIB: usize = 1024 * 1024;

async fn handler(
    event: Value,
    stream: ResponseStream,
    go_on: Arc<Semaphore>,
    failures: mpsc::UnboundedSender<Error>,
) -> Result<()> {
    // The case is the event of the Invoke API, or the query string of a function URL. A REST API
    // and a load balancer parse the query string.
    let members = event["queryStringParameters"].as_object();
    let case = match (&event["rawQueryString"], members) {
        (Value::String(query), _) => query,
        (_, Some(members)) => members.keys().next().map_or("", String::as_str),
        _ => event.as_str().unwrap_or_default(),
    };
    match case {
        "steps" => {
            for text in ["one", "two", "three"] {
                stream.write(text).await?;
                go_on.acquire().await.unwrap().forget();
            }
            stream.end().await
        }
        "http" => {
            let metadata = json!({
                "statusCode": 418,
                "headers": { "Content-Type": "text/plain", "X-Kind": "tea", "Connection": "close" },
                "cookies": ["a=1", "b=2; Secure"],
            });
            let stream = HttpResponseStream::from(stream, metadata);
            stream.write("short and ").await?;
            stream.end_with("stout").await
        }
        "bare_http" => {
            HttpResponseStream::from(stream, json!({}))
                .end_with("{}")
                .await
        }
        "bad_http" => {
            HttpResponseStream::from(stream, json!({ "statusCode": 7 }))
                .end_with("x")
                .await
        }
        "no_content" => {
            let metadata = json!({ "statusCode": 204 });
            HttpResponseStream::from(stream, metadata).end().await
        }
        "events" => {
            stream.set_content_type("text/event-stream")?;
            stream.end_with("data: 1\n\n").await
        }
        "at_once" => Err(error!("at once")),
        "in_the_middle" => {
            stream.write("begun").await?;
            go_on.acquire().await.unwrap().forget();
            Err(Error::new("TornPage", "in the middle"))
        }
        "head" => {
            for _ in 0..8 {
                stream.write(vec![b'x'; MIB]).await?;
            }
            drop(failures.send(error!("all is written")));
            stream.end().await
        }
        "on_and_on" => loop {
            if let Err(error) = stream.write(vec![b'x'; MIB]).await {
                drop(failures.send(error));
                return Ok(());
            }
        },
        case => Err(error!("no case is called {case}")),
    }
}

impl LocalServer {
    async fn start() -> Self {
        LocalServer::with_routes(LocalRoutes::new()).await
    }

    async fn with_routes(routes: LocalRoutes) -> Self {
        let go_on = Arc::new(Semaphore::new(0));
        let (failed, failures) = mpsc::unbounded_channel();
        let steps = Arc::clone(&go_on);
        let streaming = move |event: Value, stream: ResponseStream, _: Context| {
            handler(event, stream, Arc::clone(&steps), failed.clone())
        };
        let whole = async |event: Value| match event["fails"] {
            Value::Null => Ok(event),
            _ => Err(error!("it fails")),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let functions = nodeback::exports()
            .handler("streaming", streamify_response(streaming))
            .handler("whole", whole)
            .local_routes(routes);
        let served: BoxFuture<'static, _> =
            Box::pin(functions.serve(listener, std::future::pending()));
        tokio::spawn(served);
        LocalServer {
            address,
            go_on,
            failures,
        }
    }

    /// Waits until the handler reports a failed write, or that all was written.
    async fn failure(&mut self) -> Error {
        let failure = timeout(Duration::from_secs(30), self.failures.recv());
        failure
            .await
            .expect("the handler reports within 30 s")
            .unwrap()
    }

    async fn get(&self, case: &str) -> Response {
        let url = format!("http://{}/lambda-url/streaming/?{case}", self.address);
        Client::new().get(url).send().await.unwrap()
    }

    async fn post(&self, operation: &str, event: &Value, headers: &[(&str, &str)]) -> Response {
        let url = format!("http://{}/{operation}", self.address);
        let mut request = Client::new().post(url).body(event.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Returns the messages of `InvokeWithResponseStream` with their types.
    async fn events(&self, function: &str, event: &Value) -> Vec<(String, Bytes)> {
        let operation = format!("2021-11-15/functions/{function}/response-streaming-invocations");
        let response = self
            .post(&operation, event, &[("X-Amz-Log-Type", "Tail")])
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(
            header(&response, "content-type"),
            "application/vnd.amazon.eventstream"
        );
        assert_eq!(header(&response, "x-amz-executed-version"), "$LATEST");
        messages(&response.bytes().await.unwrap())
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// Parses an event stream.
fn messages(mut bytes: &[u8]) -> Vec<(String, Bytes)> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| {
            let bytes: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
            u32::from_be_bytes(bytes) as usize
        };
        let (total, headers) = (number(0), 12 + number(4));
        let payload = &bytes[headers..total - 4];
        let headers = String::from_utf8_lossy(&bytes[12..headers]).into_owned();
        let is_last = headers.contains("InvokeComplete");
        assert!(is_last || headers.contains("PayloadChunk"), "{headers}");
        let event_type = if is_last {
            "InvokeComplete"
        } else {
            "PayloadChunk"
        };
        messages.push((event_type.into(), Bytes::copy_from_slice(payload)));
        bytes = &bytes[total..];
    }
    messages
}

#[tokio::test]
async fn a_function_url_sends_each_chunk_when_it_is_written() {
    let server = LocalServer::start().await;
    let mut response = server.get("steps").await;
    assert_eq!(
        header(&response, "content-type"),
        "application/octet-stream"
    );
    assert_eq!(header(&response, "transfer-encoding"), "chunked");
    for expected in ["one", "two", "three"] {
        // The handler waits until this chunk has arrived.
        assert_eq!(response.chunk().await.unwrap().unwrap(), expected);
        server.go_on.add_permits(1);
    }
    assert!(response.chunk().await.unwrap().is_none());
}

#[tokio::test]
async fn a_function_url_has_the_status_the_headers_and_the_cookies_of_the_metadata() {
    let server = LocalServer::start().await;
    let response = server.get("http").await;
    assert_eq!(response.status(), 418);
    assert_eq!(header(&response, "content-type"), "text/plain");
    assert_eq!(header(&response, "x-kind"), "tea");
    assert!(!header(&response, "x-amzn-requestid").is_empty());
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2; Secure"]);
    assert_eq!(response.text().await.unwrap(), "short and stout");

    let response = server.get("bare_http").await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        header(&response, "content-type"),
        "application/octet-stream"
    );
    let response = server.get("events").await;
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    assert_eq!(response.text().await.unwrap(), "data: 1\n\n");
    let response = server.get("no_content").await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_function_url_that_fails_responds_with_502_or_breaks_off_after_the_first_byte() {
    let server = LocalServer::start().await;
    for case in ["at_once", "bad_http"] {
        let response = server.get(case).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{case}");
        assert_eq!(response.text().await.unwrap(), "Internal Server Error");
    }
    let mut response = server.get("in_the_middle").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "begun");
    server.go_on.add_permits(1);
    assert!(response.chunk().await.is_err());
}

/// Covers routes of a REST API, of an HTTP API, and of a load balancer. On AWS, only a REST API
/// streams.
#[tokio::test]
async fn a_route_streams_and_has_the_metadata() {
    let routes = LocalRoutes::new;
    for (gateway, routes, failed, warnings) in [
        ("rest", routes().rest("streaming=/{proxy+}"), 502, 0),
        ("http_api", routes().http_api("streaming=$default"), 500, 3),
        ("alb", routes().alb("streaming=/*"), 502, 3),
    ] {
        let log = Log::start();
        let server = LocalServer::with_routes(routes).await;
        let get = async |case: &str| {
            let url = format!("http://{}/a?{case}", server.address);
            Client::new().get(url).send().await.unwrap()
        };
        let mut response = get("steps").await;
        for expected in ["one", "two", "three"] {
            // The handler waits until this chunk has arrived.
            assert_eq!(response.chunk().await.unwrap().unwrap(), expected);
            server.go_on.add_permits(1);
        }
        assert!(response.chunk().await.unwrap().is_none(), "{gateway}");

        let response = get("http").await;
        assert_eq!(response.status(), 418, "{gateway}");
        assert_eq!(header(&response, "x-kind"), "tea");
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2; Secure"]);
        assert_eq!(response.text().await.unwrap(), "short and stout");

        assert_eq!(get("at_once").await.status(), failed, "{gateway}");
        let mut response = get("in_the_middle").await;
        assert_eq!(response.chunk().await.unwrap().unwrap(), "begun");
        server.go_on.add_permits(1);
        assert!(response.chunk().await.is_err(), "{gateway}");
        let lines = log.warnings();
        assert_eq!(lines.len(), warnings, "{gateway}: {lines:?}");
        let text =
            "the response is streamed, which AWS does not do for an HTTP API or a load balancer";
        assert!(lines.iter().all(|line| line.message == text), "{lines:?}");
    }
}

#[tokio::test]
async fn invoke_with_response_stream_has_the_chunks_and_the_outcome_in_its_events() {
    let server = LocalServer::start().await;
    server.go_on.add_permits(9);
    let chunk = |text: &str| ("PayloadChunk".to_owned(), Bytes::from(text.to_owned()));
    let end = |messages: &mut Vec<(String, Bytes)>| {
        let (kind, end) = messages.pop().unwrap();
        assert_eq!(kind, "InvokeComplete");
        let end: Value = serde_json::from_slice(&end).unwrap();
        assert!(end["LogResult"].is_string());
        end
    };

    let mut messages = server.events("streaming", &json!("steps")).await;
    let ended = end(&mut messages);
    assert!(ended.get("ErrorCode").is_none(), "{ended}");
    assert_eq!(messages, ["one", "two", "three"].map(chunk));

    // The metadata of an HTTP response is sent first.
    let mut messages = server.events("streaming", &json!("no_content")).await;
    end(&mut messages);
    assert_eq!(messages, [chunk("{\"statusCode\":204}\0\0\0\0\0\0\0\0")]);

    let mut messages = server.events("streaming", &json!("in_the_middle")).await;
    let ended = end(&mut messages);
    assert_eq!(ended["ErrorCode"], "TornPage");
    let details: Value = serde_json::from_str(ended["ErrorDetails"].as_str().unwrap()).unwrap();
    assert_eq!(details["errorMessage"], "in the middle");
    assert_eq!(messages, [chunk("begun")]);

    // A handler that does not stream.
    let mut messages = server.events("whole", &json!({ "n": 7 })).await;
    end(&mut messages);
    assert_eq!(messages, [chunk("{\"n\":7}")]);
    let mut messages = server.events("whole", &json!({ "fails": true })).await;
    assert_eq!(end(&mut messages)["ErrorCode"], "Error");
    assert!(messages.is_empty());
}

#[tokio::test]
async fn a_stream_is_over_at_200_mb() {
    let server = LocalServer::start().await;
    let messages = server.events("streaming", &json!("on_and_on")).await;
    let (end, chunks) = messages.split_last().unwrap();
    let end: Value = serde_json::from_slice(&end.1).unwrap();
    assert_eq!(end["ErrorCode"], "Function.ResponseSizeTooLarge");
    let size: usize = chunks.iter().map(|(_, chunk)| chunk.len()).sum();
    assert_eq!(size, 200 * MIB);
}

#[tokio::test]
async fn invoke_gets_all_of_a_stream_as_one_response() {
    let mut server = LocalServer::start().await;
    server.go_on.add_permits(9);
    let operation = "2015-03-31/functions/streaming/invocations";
    let response = server.post(operation, &json!("steps"), &[]).await;
    assert_eq!(response.text().await.unwrap(), "onetwothree");
    let response = server.post(operation, &json!("in_the_middle"), &[]).await;
    assert_eq!(header(&response, "x-amz-function-error"), "Unhandled");
    let error: Value = response.json().await.unwrap();
    assert_eq!(error["errorType"], "TornPage");
    // A stream larger than Lambda's limit fails.
    let response = server.post(operation, &json!("on_and_on"), &[]).await;
    let error: Value = response.json().await.unwrap();
    assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
    let error = server.failure().await;
    assert_eq!(error.error_type(), "Runtime.StreamClosed");
}

#[tokio::test]
async fn an_event_invocation_of_a_stream_is_rejected() {
    let server = LocalServer::start().await;
    let operation = "2021-11-15/functions/streaming/response-streaming-invocations";
    let invocation_type = ("X-Amz-Invocation-Type", "Event");
    let response = server
        .post(operation, &json!("steps"), &[invocation_type])
        .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let invocation_type = ("X-Amz-Invocation-Type", "DryRun");
    let response = server
        .post(operation, &json!("steps"), &[invocation_type])
        .await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_a_handler_writes_for_a_head_request_is_discarded() {
    let mut server = LocalServer::start().await;
    let url = format!("http://{}/lambda-url/streaming/?head", server.address);
    let response = Client::new().head(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.failure().await.message(), "all is written");
}

#[tokio::test]
async fn a_handler_gets_an_error_when_its_client_is_gone() {
    let mut server = LocalServer::start().await;
    let response = server.get("on_and_on").await;
    drop(response);
    let error = server.failure().await;
    assert_eq!(error.error_type(), "Runtime.StreamClosed");
    assert_eq!(
        error.message(),
        "the response stream was closed: the client is gone"
    );
}

/// A test that invokes the handler in process gets the stream, too.
#[tokio::test]
async fn a_test_sees_the_chunks_the_metadata_and_the_outcome() {
    let runtime = || {
        let handler = async |event: Value, stream: ResponseStream, context: Context| {
            let stream = HttpResponseStream::from(stream, json!({ "statusCode": 206 }));
            stream.write("a").await?;
            context.spawn({
                let stream = stream.clone();
                async move { stream.write("b").await }
            });
            tokio::task::yield_now().await;
            match event["fails"] {
                Value::Null => stream.end_with(vec![0, 1]).await,
                _ => Err(error!("after two")),
            }
        };
        Runtime::new(streamify_response(handler))
    };
    let outcome = runtime().invoke(json!({}), Context::default()).await;
    assert_eq!(outcome.result.unwrap(), Value::Null);
    let streamed = outcome.stream.unwrap();
    assert_eq!(streamed.chunks, [&b"a"[..], b"b", &[0, 1]]);
    assert_eq!(streamed.metadata, Some(json!({ "statusCode": 206 })));
    let outcome = runtime()
        .invoke(json!({ "fails": 1 }), Context::default())
        .await;
    assert_eq!(outcome.result.unwrap_err().message(), "after two");
    assert_eq!(outcome.stream.unwrap().body(), "ab");
    let raw = runtime().invoke_raw("{}", Context::default()).await;
    assert_eq!(
        raw.unwrap(),
        "{\"statusCode\":206}\0\0\0\0\0\0\0\0ab\0\u{1}"
    );
}
