//! Tests the local server as a web server, which handles requests from browsers and curl like
//! requests to a Lambda function URL.

mod common;

use aws_lambda_events::{
    apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    lambda_function_urls::{LambdaFunctionUrlRequest, LambdaFunctionUrlResponse},
};
use common::Log;
use nodeback::{Callback, Context, Error, Handler, Runtime, Value, json};
use reqwest::{Client, Method, Response, StatusCode, redirect::Policy};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// A handler that is served for as long as the test runs.
struct LocalServer(SocketAddr);

impl LocalServer {
    async fn serve<M>(handler: impl Handler<M>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(Runtime::new(handler).serve(listener, std::future::pending()));
        LocalServer(address)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        client.request(method, format!("http://{}{path}", self.0))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Sends these bytes and returns all that the server sends until it closes the connection.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        String::from_utf8(response).unwrap()
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// Returns the event. Since it has no status code, the whole event becomes the body of the
/// response.
async fn echo(event: Value) -> Result<Value, Error> {
    Ok(event)
}

#[tokio::test]
async fn a_request_becomes_an_event_of_payload_format_2() {
    let server = LocalServer::serve(echo).await;
    let response = server
        .request(
            Method::GET,
            "/orders/a%2Fb%20c?x=1&x=2&name=%C5%BC+y&empty=&bare",
        )
        .header("Cookie", "a=1; b=\"2 3\"")
        .header("Cookie", "c=4")
        .header("X-Many", "one")
        .header("X-Many", "two")
        .header("User-Agent", "Mozilla/5.0")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), "application/json");
    let request_id = header(&response, "x-amzn-requestid").to_owned();
    let mut event: Value = response.json().await.unwrap();
    let context = &mut event["requestContext"];
    let time = context["time"].as_str().unwrap().to_owned();
    assert!(time.ends_with(" +0000") && time.len() == 26, "{time}");
    assert!(context["timeEpoch"].as_i64().unwrap() > 1_700_000_000_000);
    (context["time"], context["timeEpoch"]) = (json!("now"), json!(0));
    let name = context["apiId"].as_str().unwrap().to_owned();
    assert!(name.starts_with("function_url"), "{name}");
    let path = "/orders/a%2Fb%20c";
    assert_eq!(
        event,
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "x=1&x=2&name=%C5%BC+y&empty=&bare",
            "cookies": ["a=1", "b=\"2 3\"", "c=4"],
            "headers": {
                "cookie": "a=1; b=\"2 3\"; c=4",
                "x-many": "one,two",
                "user-agent": "Mozilla/5.0",
                "accept": "*/*",
                "host": server.0.to_string(),
            },
            "queryStringParameters": { "x": "1,2", "name": "ż y", "empty": "", "bare": "" },
            "requestContext": {
                "accountId": "anonymous",
                "apiId": name,
                "domainName": server.0.to_string(),
                "domainPrefix": name,
                "http": {
                    "method": "GET",
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "Mozilla/5.0",
                },
                "requestId": request_id,
                "routeKey": "$default",
                "stage": "$default",
                "time": "now",
                "timeEpoch": 0,
            },
            "isBase64Encoded": false,
        })
    );
}

/// Asserts that the members that `a` and `b` have in common are equal.
fn agree(a: &Value, b: &Value) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let shared = a
                .iter()
                .filter_map(|(name, value)| Some((value, b.get(name)?)));
            shared.for_each(|(a, b)| agree(a, b));
        }
        _ => assert_eq!(a, b),
    }
}

#[tokio::test]
async fn the_event_survives_a_round_trip_through_the_types_of_aws_lambda_events() {
    let server = LocalServer::serve(echo).await;
    let response = server
        .request(Method::PUT, "/orders?x=1")
        .header("Cookie", "a=1")
        .header("Content-Type", "application/json")
        .body("{}");
    let event: Value = response.send().await.unwrap().json().await.unwrap();
    let url: LambdaFunctionUrlRequest = serde_json::from_value(event.clone()).unwrap();
    let back = serde_json::to_value(&url).unwrap();
    agree(&event, &back);
    assert_eq!(url.raw_path.as_deref(), Some("/orders"));
    assert_eq!(url.request_context.http.method.as_deref(), Some("PUT"));
    assert_eq!(url.cookies, Some(vec!["a=1".into()]));
    assert_eq!(url.query_string_parameters["x"], "1");
    assert_eq!(url.body.as_deref(), Some("{}"));

    let gateway: ApiGatewayV2httpRequest = serde_json::from_value(event.clone()).unwrap();
    agree(&event, &serde_json::to_value(&gateway).unwrap());
    assert_eq!(gateway.route_key.as_deref(), Some("$default"));
    assert_eq!(gateway.request_context.stage.as_deref(), Some("$default"));
    assert_eq!(gateway.query_string_parameters.first("x"), Some("1"));
}

#[tokio::test]
async fn the_response_types_of_aws_lambda_events_are_accepted() {
    let handler = async |event: Value| {
        let mut url = LambdaFunctionUrlResponse::default();
        url.status_code = 201;
        url.headers.insert("x-kind", "url".parse().unwrap());
        url.body = Some("made".into());
        url.cookies = vec!["a=1".into(), "b=2".into()];
        let mut gateway = ApiGatewayV2httpResponse::default();
        gateway.status_code = 202;
        gateway.headers.insert("x-kind", "gateway".parse().unwrap());
        gateway.body = Some("taken".into());
        match event["rawPath"].as_str() {
            Some("/url") => serde_json::to_value(url),
            _ => serde_json::to_value(gateway),
        }
    };
    let server = LocalServer::serve(handler).await;
    let response = server.get("/url").await;
    assert_eq!(response.status(), 201);
    assert_eq!(header(&response, "x-kind"), "url");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.text().await.unwrap(), "made");
    let response = server.get("/gateway").await;
    assert_eq!(response.status(), 202);
    assert_eq!(header(&response, "x-kind"), "gateway");
    assert_eq!(response.text().await.unwrap(), "taken");
}

#[tokio::test]
async fn a_path_can_name_the_function() {
    let server = LocalServer::serve(async |event: Value, context: Context| {
        let path = event["rawPath"].clone();
        Ok::<_, Error>(json!([
            context.function_name,
            path,
            event["requestContext"]["apiId"]
        ]))
    })
    .await;
    for (path, name, raw) in [
        ("/lambda-url/orders/a/b", "orders", "/a/b"),
        ("/lambda-url/orders/", "orders", "/"),
        ("/lambda-url/orders", "orders", "/"),
        ("/lambda-url/orders//", "orders", "//"),
    ] {
        let body: Value = server.get(path).await.json().await.unwrap();
        assert_eq!(body, json!([name, raw, name]), "{path}");
    }
    for path in ["/lambda-url", "/lambda-urls/x", "/2015-03-31"] {
        let body: Value = server.get(path).await.json().await.unwrap();
        assert_eq!(body[1], path);
    }
}

#[tokio::test]
async fn the_content_type_decides_whether_a_body_is_text_or_base64_as_on_aws() {
    let server = LocalServer::serve(echo).await;
    let (text, base64) = (("{\"a\":\"ż\"}", false), ("eyJhIjoixbwifQ==", true));
    for (content_type, (body, encoded)) in [
        (Some("application/json"), text),
        (Some("Application/JSON; charset=utf-8"), text),
        (Some("application/javascript"), text),
        (Some("application/xml"), text),
        (Some("text/csv"), text),
        (Some("application/octet-stream"), base64),
        (Some("application/vnd.api+json"), base64),
        (Some("application/x-www-form-urlencoded"), base64),
        (None, base64),
    ] {
        let mut request = server.request(Method::POST, "/").body("{\"a\":\"ż\"}");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        let event: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!(body), &json!(encoded)),
            "{content_type:?}"
        );
    }
    // Declared as text, but not valid UTF-8.
    let request = server.request(Method::POST, "/").body(b"\xff".as_slice());
    let request = request.header("Content-Type", "text/plain");
    let event: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("/w=="), &json!(true))
    );
    // No body.
    let request = server
        .request(Method::POST, "/")
        .header("Content-Type", "image/png");
    let event: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (event.get("body"), &event["isBase64Encoded"]),
        (None, &json!(false))
    );
}

/// A handler whose result is the JSON in the body of the request.
async fn result_from_body(event: Value) -> Result<Value, Error> {
    Ok(serde_json::from_str(
        event["body"].as_str().unwrap_or_default(),
    )?)
}

/// Sends the result that `result_from_body` is to return.
async fn post_result(server: &LocalServer, result: &Value) -> Response {
    let request = server.request(Method::POST, "/").json(result);
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_result_sets_status_headers_cookies_and_body() {
    let server = LocalServer::serve(result_from_body).await;
    let not_found = json!({
        "statusCode": 404,
        "headers": { "Content-Type": "text/plain", "X-Number": 7, "X-True": true },
        "body": "no order ż",
    });
    let response = post_result(&server, &not_found).await;
    assert_eq!(response.status(), 404);
    assert_eq!(header(&response, "content-type"), "text/plain");
    assert_eq!(header(&response, "x-number"), "7");
    assert_eq!(header(&response, "x-true"), "true");
    assert_eq!(header(&response, "x-amzn-requestid").len(), 36);
    assert_eq!(response.text().await.unwrap(), "no order ż");

    let redirect = json!({
        "statusCode": "302",
        "headers": { "Location": "/next", "Set-Cookie": "c=3" },
        "cookies": ["a=1; Path=/; HttpOnly", "b=2"],
    });
    let response = post_result(&server, &redirect).await;
    assert_eq!(response.status(), 302);
    assert_eq!(header(&response, "location"), "/next");
    let cookies = response.headers().get_all("set-cookie").iter();
    let cookies: Vec<_> = cookies.map(|cookie| cookie.to_str().unwrap()).collect();
    assert_eq!(cookies, ["c=3", "a=1; Path=/; HttpOnly", "b=2"]);
    assert_eq!(header(&response, "content-type"), "");
    assert_eq!(response.bytes().await.unwrap().len(), 0);

    let image = json!({
        "statusCode": 200,
        "headers": { "content-type": "image/png", "content-length": "9999" },
        "body": "iVBORw0KGgo=",
        "isBase64Encoded": true,
    });
    let response = post_result(&server, &image).await;
    assert_eq!(header(&response, "content-type"), "image/png");
    assert_eq!(header(&response, "content-length"), "8");
    assert_eq!(*response.bytes().await.unwrap(), *b"\x89PNG\r\n\x1a\n");

    let bare = json!({ "statusCode": 204, "headers": null, "cookies": null, "body": null });
    assert_eq!(post_result(&server, &bare).await.status(), 204);
}

#[tokio::test]
async fn a_result_without_a_status_code_becomes_the_body() {
    let server = LocalServer::serve(result_from_body).await;
    for result in [
        json!({ "hello": "Ada", "body": "x", "headers": { "a": "b" } }),
        json!(null),
        json!([1, "two"]),
        json!(-0.5),
        json!(false),
    ] {
        let response = post_result(&server, &result).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/json");
        assert_eq!(response.text().await.unwrap(), result.to_string());
    }
}

#[tokio::test]
async fn a_string_result_becomes_the_body_without_quotes() {
    let server = LocalServer::serve(result_from_body).await;
    for text in ["Hello, world!", "\"quoted\"\n\tż", "{\"a\":1}"] {
        let response = post_result(&server, &json!(text)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "application/json");
        let length = text.len().to_string();
        assert_eq!(header(&response, "content-length"), length);
        assert_eq!(response.text().await.unwrap(), text);
    }
    let response = post_result(&server, &json!("")).await;
    assert_eq!(header(&response, "content-length"), "0");
}

#[tokio::test]
async fn a_body_that_is_not_a_string_is_sent_as_json() {
    let server = LocalServer::serve(result_from_body).await;
    for body in [
        json!({}),
        json!({ "b": [1, "ż"], "a": null }),
        json!([]),
        json!(7.5),
        json!(true),
    ] {
        let result = json!({ "statusCode": 201, "body": body, "headers": { "X-A": "1" } });
        let response = post_result(&server, &result).await;
        assert_eq!(response.status(), 201, "{body}");
        assert_eq!(header(&response, "x-a"), "1");
        assert_eq!(header(&response, "content-type"), "application/json");
        assert_eq!(response.text().await.unwrap(), body.to_string());
    }
}

#[tokio::test]
async fn a_response_with_status_204_or_304_has_no_body_and_no_length() {
    let server = LocalServer::serve(async |event: Value| {
        let status = event["rawPath"].as_str().and_then(|path| path.get(1..));
        Ok::<_, Error>(
            json!({ "statusCode": status, "headers": { "ETag": "\"1\"" }, "body": "text" }),
        )
    })
    .await;
    for status in ["204", "304"] {
        // The next response on the connection must start right after the headers of this one.
        let request = format!(
            "GET /{status} HTTP/1.1\r\nHost: localhost\r\n\r\n\
             GET /200 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        let responses = server.raw(request.as_bytes()).await;
        let (first, second) = responses.split_once("\r\n\r\n").unwrap();
        let first = first.to_ascii_lowercase();
        assert!(first.starts_with(&format!("http/1.1 {status} ")), "{first}");
        assert!(first.contains("\r\netag: \"1\""), "{first}");
        for absent in ["content-length", "transfer-encoding", "content-type"] {
            assert!(!first.contains(absent), "{first}");
        }
        assert!(second.starts_with("HTTP/1.1 200 OK\r\n"), "{responses}");
        assert!(second.ends_with("\r\n\r\ntext"), "{responses}");
    }
}

/// Only Linux provides the other addresses of 127.0.0.0/8 without configuration.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_source_ip_is_the_address_of_the_client() {
    let server = LocalServer::serve(echo).await;
    for address in ["127.0.0.1", "127.8.7.6"] {
        let client = Client::builder().local_address(Some(address.parse().unwrap()));
        let request = client.build().unwrap().get(format!("http://{}/", server.0));
        // The address of the connection counts, not the header that the client sends.
        let request = request.header("X-Forwarded-For", "192.0.2.1");
        let event: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(event["requestContext"]["http"]["sourceIp"], address);
    }
}

async fn is_bad_gateway(response: Response, case: &str) {
    assert_eq!(response.status(), 502, "{case}");
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(response.text().await.unwrap(), "Internal Server Error");
}

#[tokio::test]
async fn an_invocation_that_fails_gets_status_502() {
    let handler = |event: Value, context: Context, callback: Callback| {
        match event["rawPath"].as_str() {
            Some("/fail") => return callback.fail("boom"),
            Some("/panic") => panic!("boom"),
            Some("/large") => return callback.succeed(json!("x".repeat(7 * 1024 * 1024))),
            Some("/never_called") => return,
            _ => {}
        }
        // Aborted at the deadline.
        context.spawn(async move {
            std::future::pending::<()>().await;
            drop(callback);
        });
    };
    let server = LocalServer::serve(handler).await;
    for path in ["/fail", "/panic", "/large", "/never_called", "/hang"] {
        is_bad_gateway(server.get(path).await, path).await;
    }
}

#[tokio::test]
async fn an_invalid_result_gets_status_502_and_the_log_contains_the_reason() {
    let log = Log::start();
    let server = LocalServer::serve(result_from_body).await;
    for (result, why) in BAD {
        let json: Value = serde_json::from_str(result).unwrap();
        let response = post_result(&server, &json).await;
        let request_id = header(&response, "x-amzn-requestid").to_owned();
        is_bad_gateway(response, result).await;
        let errors = log.errors();
        let error = errors.last().unwrap();
        let message = format!("the result is not an HTTP response: {why}");
        assert!(error.message.starts_with(&message), "{result}: {error:?}");
        assert_eq!(error.fields["requestId"], request_id);
    }
    assert_eq!(log.errors().len(), BAD.len());
}

/// Results that are not valid HTTP responses, and what is wrong with each.
const BAD: [(&str, &str); 14] = [
    (
        r#"{"statusCode":99}"#,
        "`statusCode` is 99: expected 200 to 599",
    ),
    (r#"{"statusCode":101}"#, "`statusCode` is 101"),
    (r#"{"statusCode":600}"#, "`statusCode` is 600"),
    (r#"{"statusCode":-200}"#, "`statusCode` is -200"),
    (r#"{"statusCode":200.5}"#, "`statusCode` is 200.5"),
    (r#"{"statusCode":"ok"}"#, "`statusCode` is \"ok\""),
    (r#"{"statusCode":null}"#, "`statusCode` is null"),
    (
        r#"{"statusCode":200,"body":{"a":1},"isBase64Encoded":true}"#,
        "`body`: expected base64: ",
    ),
    (
        r#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#,
        "`body`: expected base64: ",
    ),
    (
        r#"{"statusCode":200,"isBase64Encoded":"yes"}"#,
        "`isBase64Encoded` is \"yes\"",
    ),
    (
        r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
        "the header `a b`: ",
    ),
    (
        r#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#,
        "the header `a`: ",
    ),
    (
        r#"{"statusCode":200,"headers":{"a":["b"]}}"#,
        "the header `a` is an array",
    ),
    (r#"{"statusCode":200,"cookies":["a=\n"]}"#, "a cookie: "),
];

#[tokio::test]
async fn a_head_request_gets_the_headers_without_the_body() {
    let server = LocalServer::serve(echo_method).await;
    for (method, body) in [("HEAD", ""), ("GET", "GET")] {
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.0
        );
        let response = server.raw(request.as_bytes()).await;
        let (head, rest) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let length = format!("content-length: {}", method.len());
        assert!(head.contains(&length), "{head}");
        assert_eq!(rest, body);
    }
}

async fn echo_method(event: Value) -> Result<Value, Error> {
    let method = &event["requestContext"]["http"]["method"];
    Ok(json!({ "statusCode": 200, "body": method }))
}

#[tokio::test]
async fn every_method_except_connect_and_trace_reaches_the_function() {
    let server = LocalServer::serve(echo_method).await;
    for method in ["DELETE", "OPTIONS", "PATCH", "PUT", "PURGE"] {
        let request = server.request(method.parse().unwrap(), "/");
        let response = request.send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), method);
    }
    for line in ["TRACE /", "CONNECT 127.0.0.1:1"] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.0
        );
        let response = server.raw(request.as_bytes()).await;
        assert!(response.starts_with("HTTP/1.1 405 "), "{response}");
    }
}

#[tokio::test]
async fn an_unusual_request_becomes_an_event_too() {
    let server = LocalServer::serve(echo).await;
    let (host, mut request) = (
        server.0.to_string(),
        b"GET //?%ff&=&& HTTP/1.0\r\nHost: ".to_vec(),
    );
    request.extend_from_slice(host.as_bytes());
    request.extend_from_slice(b"\r\nX-Odd: \xff\r\nCookie: ;; a ;\r\n\r\n");
    let response = server.raw(&request).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK"), "{head}");
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!(event["rawPath"], "//");
    assert_eq!(event["rawQueryString"], "%ff&=&&");
    assert_eq!(event["cookies"], json!(["a"]));
    assert_eq!(event["headers"]["x-odd"], "\u{fffd}");
    assert_eq!(event["requestContext"]["http"]["protocol"], "HTTP/1.0");
}

fn never_entered(_: Value, _: Context, _: Callback) {
    panic!("the handler was entered")
}

#[tokio::test]
async fn a_body_above_the_size_limit_of_an_event_gets_status_413() {
    let server = LocalServer::serve(never_entered).await;
    const MB: usize = 1024 * 1024;
    // Five megabytes exceed six after base64 encoding.
    for (content_type, size) in [("text/plain", 6 * MB + 1), ("image/png", 5 * MB)] {
        let request = server.request(Method::POST, "/").body(vec![b'x'; size]);
        let request = request.header("Content-Type", content_type);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 413, "{content_type}");
        assert_eq!(
            header(&response, "x-amzn-errortype"),
            "RequestEntityTooLargeException"
        );
    }
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_end_its_invocation() {
    let (entered, go, ended) = (
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
    );
    let gates = (Arc::clone(&entered), Arc::clone(&go), Arc::clone(&ended));
    let server = LocalServer::serve(move |_: Value, _: Context, callback: Callback| {
        let (entered, go, ended) = gates.clone();
        async move {
            entered.notify_one();
            go.notified().await;
            callback.succeed(json!("done"));
            ended.notify_one();
        }
    })
    .await;
    let mut stream = TcpStream::connect(server.0).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.0);
    stream.write_all(request.as_bytes()).await.unwrap();
    entered.notified().await;
    drop(stream);
    go.notify_one();
    ended.notified().await;
}
