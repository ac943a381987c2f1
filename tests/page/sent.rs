//! The status and the headers of the HTTP response to an invocation.

use super::Server;
use nodeback::{
    Callback, Context, Error, LocalRoutes, ResponseStream, Runtime, Value, json, streamify_response,
};
use reqwest::{Client, RequestBuilder, Response};
use std::sync::Arc;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};

/// Fails for `7`, and succeeds with the response of a function URL otherwise.
fn respond(event: Value, _: Context, callback: Callback) {
    if event == 7 {
        return callback.fail(Error::new("OrderNotFound", "no order 7"));
    }
    callback.succeed(json!({
        "statusCode": 418,
        "headers": { "content-type": "text/plain", "x-order": "<b>7</b>" },
        "cookies": ["a=1", "b=2"],
        "body": "short and stout",
    }))
}

const TRACE: &str = "Root=1-6951d70a-3f43124672de60387a603d5d;Sampled=0";
const INVOKE: &str = "2015-03-31/functions/f:7/invocations";
const STREAMING: &str = "2021-11-15/functions/f/response-streaming-invocations";

/// Returns the status and the headers that a client received, as the page shows them.
fn received(response: &Response) -> Value {
    let headers = response.headers().iter();
    let headers: Vec<_> = headers
        // The connection adds these.
        .filter(|(name, _)| *name != "date" && *name != "transfer-encoding")
        .map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()]))
        .collect();
    let status = response.status();
    json!({
        "status": status.as_u16(),
        "reason": status.canonical_reason(),
        "headers": headers,
        "leftOut": 0,
    })
}

fn has(sent: &Value, name: &str) -> bool {
    let mut headers = sent["headers"].as_array().unwrap().iter();
    headers.any(|header| header[0] == name)
}

impl Server {
    /// Sends a request, and compares what the page shows with what the client received.
    async fn compare(
        &self,
        n: u64,
        path: &str,
        request: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Value {
        let url = format!("http://{}/{path}", self.address);
        let response = request(Client::new().post(url)).send().await.unwrap();
        let received = received(&response);
        response.bytes().await.unwrap();
        let details = self.over(n).await;
        assert_eq!(details["sent"], received, "{path}");
        received
    }
}

#[tokio::test]
async fn the_headers_are_those_that_the_client_received() {
    let server = Server::start(respond).await;
    let plain = server.compare(1, INVOKE, |request| request.body("1")).await;
    assert_eq!(plain["status"], 200);
    for name in ["content-type", "content-length", "x-amzn-requestid"] {
        assert!(has(&plain, name), "{plain}");
    }
    let version = json!(["x-amz-executed-version", "7"]);
    assert!(plain["headers"].as_array().unwrap().contains(&version));
    for name in [
        "x-amz-function-error",
        "x-amz-log-result",
        "x-amzn-trace-id",
    ] {
        assert!(!has(&plain, name), "{plain}");
    }
    let failed = server.compare(2, INVOKE, |request| {
        let request = request.header("x-amz-log-type", "Tail");
        request.header("x-amzn-trace-id", TRACE).body("7")
    });
    let failed = failed.await;
    for header in [
        json!(["x-amz-function-error", "Unhandled"]),
        json!(["x-amzn-trace-id", TRACE]),
    ] {
        assert!(failed["headers"].as_array().unwrap().contains(&header));
    }
    assert!(has(&failed, "x-amz-log-result"), "{failed}");

    let event = |request: RequestBuilder| {
        let request = request.header("x-amz-invocation-type", "Event");
        request.header("x-amzn-trace-id", TRACE)
    };
    let accepted = server.compare(3, INVOKE, event).await;
    assert_eq!(accepted["status"], 202);
    assert!(has(&accepted, "x-amzn-trace-id"), "{accepted}");
    // A dry run invokes nothing.
    let url = format!("http://{}/{INVOKE}", server.address);
    let dry = Client::new().post(url);
    let dry = dry.header("x-amz-invocation-type", "DryRun");
    let dry = dry.header("x-amzn-trace-id", TRACE).send().await.unwrap();
    assert_eq!(dry.status(), 204);
    assert_eq!(dry.headers()["x-amzn-trace-id"], TRACE);
    let streamed = server.compare(4, STREAMING, |request| {
        request.header("x-amzn-trace-id", TRACE)
    });
    let streamed = streamed.await;
    let content_type = json!(["content-type", "application/vnd.amazon.eventstream"]);
    let headers = streamed["headers"].as_array().unwrap();
    assert!(headers.contains(&content_type), "{headers:?}");
    assert!(has(&streamed, "x-amzn-trace-id"), "{streamed}");

    let url = server.compare(5, "orders/7", |request| request).await;
    assert_eq!(
        (&url["status"], &url["reason"]),
        (&json!(418), &json!("I'm a teapot"))
    );
    let cookies = url["headers"].as_array().unwrap().iter();
    assert_eq!(
        cookies.filter(|header| header[0] == "set-cookie").count(),
        2
    );
}

#[tokio::test]
async fn a_gateway_and_a_streamed_response_have_headers_too() {
    let created = |_: Value, _: Context, callback: Callback| {
        callback.succeed(json!({ "statusCode": 201, "headers": { "x-order": "7" } }));
    };
    let routes = LocalRoutes::new().rest("POST /orders");
    let server = Server::of(Runtime::new(created).local_routes(routes)).await;
    let rest = server.compare(1, "orders", |request| request).await;
    assert_eq!(rest["status"], 201);
    assert!(
        has(&rest, "x-order") && has(&rest, "x-amzn-requestid"),
        "{rest}"
    );

    let chunks = async |_: Value, stream: ResponseStream| {
        stream.write("a").await?;
        stream.end().await
    };
    let server = Server::start(streamify_response(chunks)).await;
    let url = server.compare(1, "", |request| request).await;
    assert!(!has(&url, "content-length"), "{url}");
    server.compare(2, STREAMING, |request| request).await;
}

/// The server notices that a client has disconnected only when it writes.
#[tokio::test]
async fn a_client_that_disconnects_has_headers_too() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let server = Server::start(move |event: Value, _: Context, callback: Callback| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            callback.succeed(event);
        }
    })
    .await;
    let mut feed = server.feed().await;
    feed.next().await.unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request =
        format!("POST /{INVOKE} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n1");
    stream.write_all(request.as_bytes()).await.unwrap();
    // The invocation has started.
    feed.next().await.unwrap();
    stream.set_zero_linger().unwrap();
    drop(stream);
    // By the time of this response, the server could have seen the reset of the connection.
    server.get("api/program").await;
    go.notify_one();
    let mut details = server.over(1).await;
    // The server may record the headers later than the end of the invocation.
    while details["sent"].is_null() {
        feed.next().await.unwrap();
        details = server.json("api/invocations/1").await;
    }
    assert_eq!(details["sent"]["status"], 200);
}

#[tokio::test]
async fn an_invocation_from_the_page_shows_the_response_of_invoke() {
    let server = Server::start(respond).await;
    for (n, event) in [(1, "1"), (3, "7")] {
        let of_page = server.invoke(event).await;
        let path = INVOKE.replace(":7", "");
        let mut invoked = server
            .compare(n + 1, &path, |request| request.body(event))
            .await;
        // Each has its own id.
        for header in invoked["headers"].as_array_mut().unwrap() {
            if header[0] == "x-amzn-requestid" {
                header[1] = of_page["summary"]["requestId"].clone();
            }
        }
        assert_eq!(of_page["sent"], invoked, "{event}");
    }
}

#[tokio::test]
async fn an_empty_response_to_the_page_has_a_length_too() {
    let empty = async |_: Value, stream: ResponseStream| stream.end().await;
    let server = Server::start(streamify_response(empty)).await;
    let of_page = server.invoke("{}").await;
    let invoked = server.compare(2, INVOKE, |request| request).await;
    let length = json!(["content-length", "0"]);
    for sent in [&of_page["sent"], &invoked] {
        assert!(
            sent["headers"].as_array().unwrap().contains(&length),
            "{sent}"
        );
        assert!(!has(sent, "content-type"), "{sent}");
    }
}
