//! Tests the local server as API Gateway and as an Application Load Balancer: the events that
//! functions get, and the HTTP responses that their results become. The expectations follow
//! captures from AWS.

mod common;

use aws_lambda_events::{
    alb::{AlbTargetGroupRequest, AlbTargetGroupResponse},
    apigw::{ApiGatewayProxyRequest, ApiGatewayProxyResponse, ApiGatewayV2httpRequest},
};
use common::Log;
use nodeback::{Callback, Context, Error, LocalRoutes, Runtime, Value, exports, json};
use reqwest::{Client, Method, RequestBuilder, Response, redirect::Policy};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// A program that is served for as long as the test runs.
struct LocalServer(SocketAddr);

impl LocalServer {
    async fn serve(runtime: Runtime, routes: LocalRoutes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = runtime.local_routes(routes);
        tokio::spawn(runtime.serve(listener, std::future::pending()));
        LocalServer(address)
    }

    /// Serves a function whose result is a response with the event in its body.
    async fn of_events(routes: LocalRoutes) -> Self {
        let handler = async |event: Value| {
            Ok::<_, Error>(json!({ "statusCode": 200, "body": event.to_string() }))
        };
        LocalServer::serve(Runtime::new(handler), routes).await
    }

    /// Serves a function whose result is the JSON in the body of the request.
    async fn of_results(routes: LocalRoutes) -> Self {
        let handler =
            |event: Value, _: Context, callback: Callback| match serde_json::from_str::<Value>(
                event["body"].as_str().unwrap_or_default(),
            ) {
                Ok(result) => callback.succeed(result),
                Err(error) => callback.fail(error),
            };
        LocalServer::serve(Runtime::new(handler), routes).await
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let method = method.parse::<Method>().unwrap();
        client.request(method, format!("http://{}{path}", self.0))
    }

    async fn get(&self, path: &str) -> Response {
        self.request("GET", path).send().await.unwrap()
    }

    async fn event(&self, request: RequestBuilder) -> Value {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// Returns the HTTP response for a function with this result.
    async fn response_to(&self, result: &Value) -> Response {
        let request = self.request("POST", "/").json(result);
        request.send().await.unwrap()
    }
}

fn rest() -> LocalRoutes {
    LocalRoutes::new().rest("/").rest("/{proxy+}")
}

fn http_api() -> LocalRoutes {
    LocalRoutes::new().http_api("$default")
}

fn alb() -> LocalRoutes {
    LocalRoutes::new().alb("/*")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

fn all_headers<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    let values = response.headers().get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

/// Removes and returns a member whose value differs in each run.
fn take(object: &mut Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap()
}

#[tokio::test]
async fn a_rest_api_sends_payload_format_1() {
    let routes = LocalRoutes::new().rest("POST /clients/{id}").stage("dev");
    let server = LocalServer::of_events(routes.stage_variable("table", "clients-dev")).await;
    let request = server
        .request(
            "POST",
            "/clients/a%20b%2Bc?x=1&x=2&name=%C5%BC+y&plus=a%2Bb&bare",
        )
        .header("User-Agent", "curl/8")
        .header("x-many", "one")
        .header("x-many", "two")
        .header("Cookie", "a=1; b=2")
        .header("X-Forwarded-For", "10.0.0.1")
        .header("Content-Type", "application/json")
        .body("{\"name\":\"λ\"}");
    let mut event = server.event(request).await;
    let context = &mut event["requestContext"];
    assert_eq!(take(context, "requestId").as_str().unwrap().len(), 36);
    assert_eq!(
        take(context, "extendedRequestId").as_str().unwrap().len(),
        16
    );
    let time = take(context, "requestTime");
    assert!(time.as_str().unwrap().ends_with(" +0000"), "{time}");
    let epoch = take(context, "requestTimeEpoch");
    assert!(epoch.as_u64().unwrap() > 1_700_000_000_000, "{epoch}");
    let host = server.0.to_string();
    let port = server.0.port().to_string();
    assert_eq!(
        event,
        json!({
            "resource": "/clients/{id}",
            "path": "/clients/a%20b%2Bc",
            "httpMethod": "POST",
            "headers": {
                "User-Agent": "curl/8",
                "X-Many": "two",
                "Cookie": "a=1; b=2",
                "Content-Type": "application/json",
                "Accept": "*/*",
                "Host": host,
                "X-Forwarded-For": "10.0.0.1, 127.0.0.1",
                "X-Forwarded-Port": port,
                "X-Forwarded-Proto": "http",
            },
            "multiValueHeaders": {
                "User-Agent": ["curl/8"],
                "X-Many": ["one", "two"],
                "Cookie": ["a=1; b=2"],
                "Content-Type": ["application/json"],
                "Accept": ["*/*"],
                "Host": [host],
                "X-Forwarded-For": ["10.0.0.1, 127.0.0.1"],
                "X-Forwarded-Port": [port],
                "X-Forwarded-Proto": ["http"],
            },
            "queryStringParameters": { "x": "2", "name": "ż y", "plus": "a+b", "bare": "" },
            "multiValueQueryStringParameters": {
                "x": ["1", "2"], "name": ["ż y"], "plus": ["a+b"], "bare": [""],
            },
            "pathParameters": { "id": "a%20b%2Bc" },
            "stageVariables": { "table": "clients-dev" },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "1234567890",
                "deploymentId": "123456",
                "domainName": host,
                "domainPrefix": "1234567890",
                "httpMethod": "POST",
                "identity": {
                    "accessKey": null,
                    "accountId": null,
                    "caller": null,
                    "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null,
                    "cognitoIdentityId": null,
                    "cognitoIdentityPoolId": null,
                    "principalOrgId": null,
                    "sourceIp": "127.0.0.1",
                    "user": null,
                    "userAgent": "curl/8",
                    "userArn": null,
                },
                "path": "/dev/clients/a%20b%2Bc",
                "protocol": "HTTP/1.1",
                "resourceId": "123456",
                "resourcePath": "/clients/{id}",
                "stage": "dev",
            },
            "body": "{\"name\":\"λ\"}",
            "isBase64Encoded": false,
        })
    );
}

#[tokio::test]
async fn a_rest_api_sends_null_for_absent_members() {
    let server = LocalServer::of_events(rest()).await;
    let event = server.event(server.request("GET", "/")).await;
    for member in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ] {
        assert_eq!(event.get(member), Some(&Value::Null), "{member}");
    }
    assert_eq!(
        event["requestContext"]["identity"]["userAgent"],
        Value::Null
    );
    assert_eq!(event["requestContext"]["path"], "/Prod/");
}

#[tokio::test]
async fn a_rest_api_corrupts_binary_bodies_except_of_binary_media_types() {
    let log = Log::start();
    let routes = rest()
        .binary_media_type("image/*")
        .binary_media_type("Font/Woff2");
    let server = LocalServer::of_events(routes).await;
    let body = b"\x89PNG".as_slice();
    for (content_type, body_of_event, encoded) in [
        ("image/png", "iVBORw==", true),
        ("IMAGE/png; q=1", "iVBORw==", true),
        ("font/woff2", "iVBORw==", true),
        ("font/woff", "\u{fffd}PNG", false),
        ("application/octet-stream", "\u{fffd}PNG", false),
    ] {
        let request = server.request("POST", "/").body(body);
        let event = server
            .event(request.header("Content-Type", content_type))
            .await;
        assert_eq!(event["body"], body_of_event, "{content_type}");
        assert_eq!(event["isBase64Encoded"], encoded, "{content_type}");
    }
    let warnings = log.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].fields.contains_key("requestId"));
    assert!(
        warnings[0]
            .message
            .contains("`--binary-media-type` for `font/woff`")
    );
}

#[tokio::test]
async fn a_rest_api_decodes_a_response_for_clients_that_accept_a_binary_type() {
    let log = Log::start();
    let result = json!({
        "headers": { "Content-Type": "image/png" }, "body": "iVBORw==", "isBase64Encoded": true,
    });
    for (types, accept, body) in [
        (
            ["image/png"].as_slice(),
            "image/png,*/*",
            b"\x89PNG".as_slice(),
        ),
        (&["*/*"], "*/*", b"\x89PNG"),
        (&["*/*"], "text/html", b"\x89PNG"),
        (&["image/png"], "*/*", b"iVBORw=="),
        (&["image/png"], "text/html,image/png", b"iVBORw=="),
        (&[], "image/png", b"iVBORw=="),
    ] {
        let result = result.clone();
        let handler = move |_: Value, _: Context, callback: Callback| {
            callback.succeed(result.clone());
        };
        let routes = types.iter();
        let routes = routes.fold(rest(), |routes, media| routes.binary_media_type(*media));
        let server = LocalServer::serve(Runtime::new(handler), routes).await;
        let request = server.request("GET", "/").header("Accept", accept);
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "image/png");
        assert_eq!(
            *response.bytes().await.unwrap(),
            *body,
            "{types:?} {accept}"
        );
    }
    assert_eq!(log.warnings().len(), 3);
}

#[tokio::test]
async fn a_rest_api_accepts_the_same_responses_as_on_aws() {
    let server = LocalServer::of_results(rest()).await;
    for (result, status) in [
        (json!({ "statusCode": 200 }), 200),
        (json!({ "statusCode": "201" }), 201),
        (
            json!({ "statusCode": null, "headers": null, "body": null }),
            200,
        ),
        (json!({ "headers": { "test-header": "value" } }), 200),
    ] {
        let response = server.response_to(&result).await;
        assert_eq!(response.status(), status, "{result}");
        assert_eq!(header(&response, "content-type"), "application/json");
        assert_eq!(header(&response, "x-amzn-requestid").len(), 36);
        assert_eq!(response.text().await.unwrap(), "", "{result}");
    }
    let result = json!({
        "statusCode": 200,
        "headers": {
            "content-TYPE": "text/plain", "X-Flag": true, "X-Count": 7, "X-Both": "single",
            "X-Same": "a", "Server": "mine", "Content-Length": "9999",
        },
        "multiValueHeaders": {
            "Set-Cookie": ["a=1", "b=2"], "x-both": ["multi"], "X-Same": ["a", "b"],
        },
        "body": "hello",
    });
    let response = server.response_to(&result).await;
    assert_eq!(all_headers(&response, "content-type"), ["text/plain"]);
    assert_eq!(header(&response, "x-flag"), "true");
    assert_eq!(header(&response, "x-count"), "7");
    assert_eq!(all_headers(&response, "x-both"), ["multi", "single"]);
    assert_eq!(all_headers(&response, "x-same"), ["a", "b"]);
    assert_eq!(all_headers(&response, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(header(&response, "x-amzn-remapped-server"), "mine");
    assert_eq!(header(&response, "server"), "");
    assert_eq!(header(&response, "content-length"), "5");
    assert_eq!(response.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_rest_api_sends_status_502_for_a_malformed_response_and_the_log_contains_the_reason() {
    let log = Log::start();
    let server = LocalServer::of_results(rest()).await;
    let cases = [
        (
            json!({ "statusCode": 200, "wrong": "value" }),
            "`wrong` is not a member",
        ),
        (json!("text"), "it is a string: expected an object"),
        (json!(null), "it is null"),
        (json!([200]), "it is an array"),
        (json!({ "statusCode": "test" }), "`statusCode` is \"test\""),
        (json!({ "statusCode": 99 }), "`statusCode` is 99"),
        (
            json!({ "statusCode": 200, "body": { "a": 1 } }),
            "`body` is an object",
        ),
        (
            json!({ "multiValueHeaders": { "a": "b" } }),
            "`a` in `multiValueHeaders` is a string",
        ),
        (
            json!({ "multiValueHeaders": [] }),
            "`multiValueHeaders` is an array",
        ),
        (
            json!({ "headers": { "a": ["b"] } }),
            "the header `a` is an array",
        ),
        (json!({ "headers": { "a b": "c" } }), "the header `a b`"),
        (
            json!({ "isBase64Encoded": "yes", "body": "" }),
            "`isBase64Encoded` is \"yes\"",
        ),
    ];
    for (result, why) in &cases {
        let response = server.response_to(result).await;
        is_internal_error(response, &result.to_string()).await;
        let error = log.errors().pop().unwrap();
        let expected = format!("the result is not an HTTP response: {why}");
        assert!(error.message.starts_with(&expected), "{}", error.message);
    }
    assert_eq!(log.errors().len(), cases.len());
    // Without a body, the function itself fails.
    let response = server.get("/").await;
    is_internal_error(response, "a failed invocation").await;
}

async fn is_internal_error(response: Response, case: &str) {
    assert_eq!(response.status(), 502, "{case}");
    let error_type = header(&response, "x-amzn-errortype");
    assert_eq!(error_type, "InternalServerErrorException");
    assert_eq!(header(&response, "content-type"), "application/json");
    let body = response.text().await.unwrap();
    assert_eq!(body, r#"{"message": "Internal server error"}"#, "{case}");
}

#[tokio::test]
async fn an_http_api_sends_payload_format_2() {
    let routes = LocalRoutes::new()
        .http_api("GET /clients/{id}")
        .http_api("$default");
    let server = LocalServer::of_events(routes).await;
    let request = server
        .request("GET", "/clients/a%20b?x=1&x=2&name=%C5%BC+y")
        .header("User-Agent", "curl/8")
        .header("X-Many", "one")
        .header("X-Many", "two")
        .header("Cookie", "a=1; b=2");
    let mut event = server.event(request).await;
    let context = &mut event["requestContext"];
    assert_eq!(take(context, "requestId").as_str().unwrap().len(), 36);
    take(context, "time");
    take(context, "timeEpoch");
    let host = server.0.to_string();
    let port = server.0.port().to_string();
    assert_eq!(
        event,
        json!({
            "version": "2.0",
            "routeKey": "GET /clients/{id}",
            "rawPath": "/clients/a b",
            "rawQueryString": "x=1&x=2&name=%C5%BC+y",
            "cookies": ["a=1", "b=2"],
            "headers": {
                "user-agent": "curl/8",
                "x-many": "one,two",
                "accept": "*/*",
                "host": host,
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-port": port,
                "x-forwarded-proto": "http",
                "content-length": "0",
            },
            "queryStringParameters": { "x": "1,2", "name": "ż y" },
            "pathParameters": { "id": "a b" },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "1234567890",
                "domainName": host,
                "domainPrefix": "1234567890",
                "http": {
                    "method": "GET",
                    "path": "/clients/a b",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "curl/8",
                },
                "routeKey": "GET /clients/{id}",
                "stage": "$default",
            },
            "isBase64Encoded": false,
        })
    );
    let form = server.request("POST", "/other").body("a=b");
    let form = form.header("Content-Type", "application/x-www-form-urlencoded");
    let event = server.event(form).await;
    assert_eq!(event["routeKey"], "$default");
    assert_eq!(event["body"], "YT1i");
    assert_eq!(event["isBase64Encoded"], true);
    assert_eq!(event.get("pathParameters"), None);
}

#[tokio::test]
async fn a_named_stage_of_an_http_api_is_part_of_the_path() {
    let routes = http_api()
        .stage("dev")
        .stage_variable("table", "clients-dev");
    let server = LocalServer::of_events(routes).await;
    let event = server.event(server.request("GET", "/clients")).await;
    assert_eq!(event["rawPath"], "/dev/clients");
    assert_eq!(event["requestContext"]["http"]["path"], "/dev/clients");
    assert_eq!(event["requestContext"]["stage"], "dev");
    assert_eq!(event["stageVariables"], json!({ "table": "clients-dev" }));
}

#[tokio::test]
async fn an_http_api_infers_a_response_and_sends_status_500_for_an_error() {
    let log = Log::start();
    let server = LocalServer::of_results(http_api().stage("dev")).await;
    let response = server.response_to(&json!({ "hello": "Ada" })).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "apigw-requestid").len(), 36);
    assert_eq!(response.text().await.unwrap(), r#"{"hello":"Ada"}"#);

    let result = json!({ "statusCode": 201, "body": "made", "cookies": ["a=1", "b=2"] });
    let response = server.response_to(&result).await;
    assert_eq!(response.status(), 201);
    assert_eq!(
        header(&response, "content-type"),
        "text/plain; charset=utf-8"
    );
    assert_eq!(all_headers(&response, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.text().await.unwrap(), "made");

    let result = json!({
        "statusCode": 200, "headers": { "Content-Type": "image/png" },
        "body": "iVBORw==", "isBase64Encoded": true,
    });
    let response = server.response_to(&result).await;
    assert_eq!(header(&response, "content-type"), "image/png");
    assert_eq!(*response.bytes().await.unwrap(), *b"\x89PNG");

    assert_eq!(log.errors().len(), 0);
    for response in [
        server.response_to(&json!({ "statusCode": "x" })).await,
        server.get("/").await,
        server.get("/a%25b").await,
    ] {
        let (status, message) = match response.url().path() {
            "/a%25b" => (400, "Bad Request"),
            _ => (500, "Internal Server Error"),
        };
        assert_eq!(response.status(), status);
        let body = response.text().await.unwrap();
        assert_eq!(body, format!(r#"{{"message":"{message}"}}"#));
    }
}

#[tokio::test]
async fn a_load_balancer_does_not_decode_the_query_and_sends_the_last_of_several_values() {
    let path = "/a%20b?x=1&x=2&e%2F=c%2Bd+e&bare&=";
    let server = LocalServer::of_events(alb()).await;
    let request = |server: &LocalServer| {
        let request = server.request("POST", path).header("X-Many", "one");
        let request = request.header("X-Many", "two").header("Cookie", "a=1");
        request.header("Content-Type", "text/plain").body("λ")
    };
    let host = server.0.to_string();
    let port = server.0.port().to_string();
    let event = server.event(request(&server)).await;
    let arn = event["requestContext"]["elb"]["targetGroupArn"].as_str();
    let arn = arn.unwrap().to_owned();
    let start = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gateway";
    assert!(arn.starts_with(start), "{arn}");
    assert_eq!(
        event,
        json!({
            "requestContext": { "elb": { "targetGroupArn": arn } },
            "httpMethod": "POST",
            "path": "/a%20b",
            "queryStringParameters": { "x": "2", "e%2F": "c%2Bd+e", "bare": "", "": "" },
            "headers": {
                "x-many": "two",
                "cookie": "a=1",
                "content-type": "text/plain",
                "accept": "*/*",
                "host": host,
                "content-length": "2",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-port": port,
                "x-forwarded-proto": "http",
            },
            "body": "λ",
            "isBase64Encoded": false,
        })
    );
    let server = LocalServer::of_results(LocalRoutes::new().rest("/")).await;
    assert_eq!(server.get("/a").await.status(), 403);

    // With multi-value headers, the event has every value, and the result needs
    // `multiValueHeaders`.
    let handler = async |event: Value| {
        let headers = json!({ "X-Two": ["1", "2"] });
        let body = event.to_string();
        Ok::<_, Error>(json!({ "statusCode": 200, "multiValueHeaders": headers, "body": body }))
    };
    let routes = alb().alb_multi_value_headers();
    let server = LocalServer::serve(Runtime::new(handler), routes).await;
    let response = request(&server).send().await.unwrap();
    assert_eq!(all_headers(&response, "x-two"), ["1", "2"]);
    let event: Value = response.json().await.unwrap();
    let query = json!({ "x": ["1", "2"], "e%2F": ["c%2Bd+e"], "bare": [""], "": [""] });
    assert_eq!(event["multiValueQueryStringParameters"], query);
    assert_eq!(event["multiValueHeaders"]["x-many"], json!(["one", "two"]));
    assert_eq!(event.get("headers"), None);
    assert_eq!(event.get("queryStringParameters"), None);
}

#[tokio::test]
async fn a_load_balancer_sends_text_as_text_unless_it_is_compressed() {
    let server = LocalServer::of_events(alb()).await;
    for (headers, body, encoded) in [
        (
            [("Content-Type", "application/json"), ("X", "x")],
            "{}",
            false,
        ),
        (
            [
                ("Content-Type", "application/json"),
                ("Content-Encoding", "gzip"),
            ],
            "e30=",
            true,
        ),
        ([("Content-Type", "image/png"), ("X", "x")], "e30=", true),
        ([("Accept", "a/b"), ("X", "x")], "e30=", true),
    ] {
        let request = server.request("POST", "/").body("{}");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let event = server.event(request).await;
        assert_eq!(event["body"], body, "{headers:?}");
        assert_eq!(event["isBase64Encoded"], encoded, "{headers:?}");
    }
    let event = server.event(server.request("GET", "/")).await;
    assert_eq!(event["body"], "");
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event["queryStringParameters"], json!({}));
}

#[tokio::test]
async fn a_load_balancer_sends_status_502_in_html_for_a_malformed_response() {
    let log = Log::start();
    let server = LocalServer::of_results(alb()).await;
    let result =
        json!({ "statusCode": 200, "headers": { "Content-Type": "text/css" }, "body": "b {}" });
    let response = server.response_to(&result).await;
    assert_eq!(header(&response, "content-type"), "text/css");
    assert_eq!(response.text().await.unwrap(), "b {}");
    let response = server
        .response_to(&json!({ "statusCode": 404, "body": "no" }))
        .await;
    assert_eq!(response.status(), 404);
    assert_eq!(
        header(&response, "content-type"),
        "application/octet-stream"
    );
    assert_eq!(log.errors().len(), 0);

    let ignored = json!({ "statusCode": 200, "multiValueHeaders": { "a": ["b"] } });
    let response = server.response_to(&ignored).await;
    assert_eq!(header(&response, "a"), "");
    assert!(
        log.warnings()[0]
            .message
            .contains("ignores `multiValueHeaders`")
    );

    let large = "x".repeat(1024 * 1024);
    for result in [json!({ "body": "no status" }), json!("text")] {
        is_bad_gateway(server.response_to(&result).await).await;
    }
    let handler = move |_: Value, _: Context, callback: Callback| {
        callback.succeed(json!({ "statusCode": 200, "body": large }));
    };
    let server = LocalServer::serve(Runtime::new(handler), alb()).await;
    is_bad_gateway(server.get("/").await).await;
    let errors = log.errors();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(
        errors[2]
            .message
            .contains("a load balancer accepts at most 1048576")
    );

    let request = server
        .request("POST", "/")
        .body("x".repeat(1024 * 1024 + 1));
    assert_eq!(request.send().await.unwrap().status(), 413);
}

async fn is_bad_gateway(response: Response) {
    assert_eq!(response.status(), 502);
    assert_eq!(header(&response, "content-type"), "text/html");
    let body = response.text().await.unwrap();
    assert!(body.contains("<h1>502 Bad Gateway</h1>"), "{body}");
}

#[tokio::test]
async fn the_types_of_aws_lambda_events_fit_the_events_and_the_results() {
    let log = Log::start();
    let path = "/clients/7?x=1&x=2";
    let server = LocalServer::of_events(LocalRoutes::new().rest("/clients/{id}")).await;
    let event = server.event(server.request("GET", path)).await;
    let request: ApiGatewayProxyRequest = serde_json::from_value(event).unwrap();
    assert_eq!(request.http_method, "GET");
    assert_eq!(request.path_parameters["id"], "7");
    let all = request.multi_value_query_string_parameters.all("x");
    assert_eq!(all, Some(vec!["1", "2"]));
    assert_eq!(request.request_context.stage.as_deref(), Some("Prod"));
    assert_eq!(
        request.request_context.identity.source_ip.as_deref(),
        Some("127.0.0.1")
    );

    let routes = LocalRoutes::new().http_api("GET /clients/{id}");
    let server = LocalServer::of_events(routes).await;
    let event = server.event(server.request("GET", path)).await;
    let request: ApiGatewayV2httpRequest = serde_json::from_value(event).unwrap();
    assert_eq!(request.route_key.as_deref(), Some("GET /clients/{id}"));
    assert_eq!(request.path_parameters["id"], "7");

    for routes in [alb(), alb().alb_multi_value_headers()] {
        let handler = async |request: AlbTargetGroupRequest| {
            let mut response = AlbTargetGroupResponse::default();
            response.status_code = 200;
            response.body = request.path.map(Into::into);
            Ok::<_, Error>(response)
        };
        let server = LocalServer::serve(Runtime::new(handler), routes).await;
        let response = server.get(path).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "/clients/7");
    }
    assert_eq!(log.warnings().len(), 0);

    let handler = async |request: ApiGatewayProxyRequest| {
        let mut response = ApiGatewayProxyResponse::default();
        response.status_code = 201;
        response.headers.insert("x-path", "a".parse().unwrap());
        response.body = request.path.map(Into::into);
        Ok::<_, Error>(response)
    };
    let server = LocalServer::serve(Runtime::new(handler), rest()).await;
    let response = server.get(path).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "x-path")),
        (201, "a")
    );
    assert_eq!(response.text().await.unwrap(), "/clients/7");
}

#[tokio::test]
async fn a_request_without_a_route_gets_the_error_that_aws_sends() {
    let log = Log::start();
    let rest = LocalRoutes::new().rest("GET /clients");
    let http = LocalRoutes::new().http_api("GET /clients");
    let alb = LocalRoutes::new().alb("GET /clients");
    for (routes, status, error_type, body) in [
        (
            rest,
            403,
            "MissingAuthenticationTokenException",
            r#"{"message":"Missing Authentication Token"}"#,
        ),
        (http, 404, "", r#"{"message":"Not Found"}"#),
        (alb, 404, "", "<html>"),
    ] {
        let server = LocalServer::of_events(routes).await;
        assert_eq!(server.get("/clients").await.status(), 200);
        for (method, path) in [("GET", "/other"), ("POST", "/clients")] {
            let response = server.request(method, path).send().await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(header(&response, "x-amzn-errortype"), error_type);
            assert!(response.text().await.unwrap().starts_with(body));
            let warning = log.warnings().pop().unwrap().message;
            let named = match error_type {
                "" => String::new(),
                name => format!(" {name}"),
            };
            let why = "no route matches the method and the path";
            assert_eq!(
                warning,
                format!("rejected with {status}{named}: {method} {path}: {why}")
            );
        }
        // The Invoke API and function URLs work in addition to the routes.
        let url = server.event(server.request("GET", "/lambda-url/f/x")).await;
        assert_eq!(url["rawPath"], "/x");
        let invoked = server.request("POST", "/2015-03-31/functions/f/invocations");
        assert_eq!(invoked.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_route_can_name_its_function() {
    let named = |name: &'static str| {
        move |_: Value, context: Context, callback: Callback| {
            let body = format!("{name} as {}", context.function_name);
            callback.succeed(json!({ "statusCode": 200, "body": body }));
        }
    };
    let program = || {
        let both = exports().handler("orders", named("orders"));
        both.handler("stock", named("stock"))
    };
    let routes = LocalRoutes::new().rest("orders=GET /orders/{id}");
    let server = LocalServer::serve(program(), routes.http_api("stock=$default")).await;
    for (path, function) in [("/orders/7", "orders"), ("/orders", "stock")] {
        let body = server.get(path).await.text().await.unwrap();
        assert_eq!(body, format!("{function} as {function}"));
    }
    for (route, mistake) in [
        (
            "/",
            "`--rest ANY /` calls no handler: no handler is named: expected one of orders, stock",
        ),
        (
            "other=/",
            "`--rest ANY /` calls no handler: `other` is not exported",
        ),
        ("/a//b", "`--rest /a//b`: expected no empty segment"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let runtime = program().local_routes(LocalRoutes::new().rest(route));
        let error = runtime.serve(listener, std::future::pending()).await;
        let error = error.unwrap_err();
        assert!(error.message().starts_with(mistake), "{error}");
    }
}
