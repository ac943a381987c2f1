//! A request to AWS, without what differs from one request to the next: dates, signatures,
//! checksums, and the SDK's name.

use axum::{
    body::Bytes,
    http::{HeaderMap, header::CONTENT_TYPE, request::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The headers of a service with a REST protocol that carry members of its input, in addition to
/// those that begin with `x-amz-`.
const MEMBERS: [&str; 12] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
    "tagging",
];

/// The `x-amz-` headers that carry no member. Those that begin with `x-amz-checksum-` carry none
/// either.
const NOISE: [&str; 7] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-trailer",
    "x-amz-user-agent",
];

/// The members for which an SDK generates a new value in each request.
const TOKENS: [&str; 4] = [
    "clientrequesttoken",
    "clienttoken",
    "creationtoken",
    "idempotencytoken",
];

/// What is compared of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Request {
    /// The service and the operation, such as `dynamodb PutItem`, or the method, such as `s3 PUT`.
    pub(super) operation: String,
    /// The members `path`, `query` and `headers` of a REST protocol, and `body`. Their keys are
    /// sorted, since their order does not matter to AWS.
    #[serde(flatten)]
    pub(super) members: Map<String, Value>,
}

impl Request {
    pub(super) fn new(parts: &Parts, body: &Bytes) -> Self {
        let headers = &parts.headers;
        let service = service(parts).unwrap_or_else(|| "unknown".into());
        let body = without_chunks(headers, body);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut members = Map::new();
        // The protocols awsJson1.0 and awsJson1.1.
        if let Some(target) = text("x-amz-target") {
            members.insert("body".into(), value(&body));
            let operation = target.rsplit('.').next().unwrap_or_default();
            return Request::named(&service, operation, members);
        }
        // The protocols awsQuery and ec2Query.
        let is_form = text(CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form {
            let mut pairs = pairs(&body);
            if let Some(Value::String(action)) = pairs.remove("Action") {
                members.insert("body".into(), sorted(Value::Object(pairs)));
                return Request::named(&service, &action, members);
            }
        }
        let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
        // Some SDKs send `/bucket/` for the bucket itself. In the name of an object, a trailing
        // slash counts.
        let path = match path.strip_suffix('/') {
            Some(bucket) if service == "s3" && bucket.rfind('/') == Some(0) => bucket.into(),
            _ => path,
        };
        members.insert("path".into(), path.into());
        let mut query = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        // Newer SDKs name the operation in `x-id`.
        query.retain(|name, _| name != "x-id" && !name.starts_with("X-Amz-"));
        if !query.is_empty() {
            members.insert("query".into(), sorted(Value::Object(query)));
        }
        let headers = rest_headers(headers, body.is_empty());
        if !headers.is_empty() {
            members.insert("headers".into(), sorted(Value::Object(headers)));
        }
        if !body.is_empty() {
            members.insert("body".into(), value(&body));
        }
        Request::named(&service, parts.method.as_str(), members)
    }

    fn named(service: &str, operation: &str, members: Map<String, Value>) -> Self {
        Request {
            operation: format!("{service} {operation}"),
            members,
        }
    }

    /// Returns the members as JSON text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(&self.members).unwrap_or_default()
    }
}

/// Returns the name of the service in the scope of the signature,
/// `Credential=KEY/20260101/us-east-1/dynamodb/aws4_request`. In a presigned request, the query has
/// it.
fn service(parts: &Parts) -> Option<String> {
    let header = parts.headers.get("authorization");
    let header = header.and_then(|value| value.to_str().ok());
    let scope = match header.and_then(|value| value.split_once("Credential=")) {
        Some((_, scope)) => scope.split([',', ' ']).next()?.to_owned(),
        None => match pairs(parts.uri.query()?.as_bytes()).remove("X-Amz-Credential") {
            Some(Value::String(scope)) => scope,
            _ => return None,
        },
    };
    let mut segments = scope.rsplit('/');
    (segments.next() == Some("aws4_request")).then(|| segments.next().map(String::from))?
}

fn rest_headers(headers: &HeaderMap, is_empty: bool) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in headers {
        let name = name.as_str();
        let is_member = MEMBERS.contains(&name)
            || name.starts_with("x-amz-")
                && !name.starts_with("x-amz-checksum-")
                && !NOISE.contains(&name);
        if !is_member || is_empty && name == CONTENT_TYPE.as_str() {
            continue;
        }
        let mut value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if name == "content-encoding" {
            // `aws-chunked` is only how the SDK sends the body.
            let encodings = value.split(',').map(str::trim);
            let encodings: Vec<_> = encodings.filter(|one| *one != "aws-chunked").collect();
            value = encodings.join(",");
        }
        if !value.is_empty() {
            members.insert(name.into(), value.into());
        }
    }
    members
}

/// Decodes the pairs of a query or a form. A name that occurs several times has an array.
fn pairs(text: &[u8]) -> Map<String, Value> {
    let mut pairs = Map::new();
    for (name, value) in form_urlencoded::parse(text) {
        let value = Value::from(value);
        match pairs.get_mut(&*name) {
            None => {
                pairs.insert(name.into(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    pairs
}

/// Returns a body as JSON: its value if it is JSON, or else its text, or else its bytes as base64.
fn value(body: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(body) {
        return sorted(value);
    }
    match std::str::from_utf8(body) {
        Ok(text) => text.into(),
        Err(_) => BASE64.encode(body).into(),
    }
}

/// Sorts the keys of each object, and replaces the tokens that an SDK has generated. The recursion
/// is bounded, since `serde_json` limits the depth of a parsed value.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let members = members.into_iter().map(|(name, value)| {
                let is_token = TOKENS.contains(&&*name.to_lowercase())
                    && value
                        .as_str()
                        .is_some_and(|text| uuid::Uuid::parse_str(text).is_ok());
                let value = if is_token {
                    "(generated)".into()
                } else {
                    sorted(value)
                };
                (name, value)
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Returns the content of a body whose chunks are signed one by one or followed by a checksum.
/// Other bodies are unchanged.
fn without_chunks(headers: &HeaderMap, body: &Bytes) -> Bytes {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_chunked = text("content-encoding").is_some_and(|value| value.contains("aws-chunked"))
        || text("x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-"));
    if is_chunked {
        chunks(body).unwrap_or_else(|| body.clone())
    } else {
        body.clone()
    }
}

/// Decodes chunks. Each is a line such as `400;chunk-signature=..\r\n`, which begins with the size
/// in hexadecimal, and that many bytes. The size of the last one is 0. Returns `None` for any other
/// format.
fn chunks(mut body: &[u8]) -> Option<Bytes> {
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(body.get(..line)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(whole.into());
        }
        body = body.get(line + 2..)?;
        whole.extend_from_slice(body.get(..size)?);
        body = body.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http;
    use serde_json::json;

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/SERVICE/aws4_request, SignedHeaders=host, Signature=0";

    fn request(line: &str, service: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method).uri(uri);
        request = request.header("authorization", SIGNED.replace("SERVICE", service));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let body = Bytes::copy_from_slice(body);
        serde_json::to_value(Request::new(&parts, &body)).unwrap()
    }

    #[test]
    fn each_protocol_has_its_operation_and_its_members() {
        let target = ("x-amz-target", "DynamoDB_20120810.PutItem");
        let body = br#"{"TableName":"orders","Item":{"b":{"N":"1"},"a":{"S":"x"}}}"#;
        let put = request("POST /", "dynamodb", &[target, ("x-amz-date", "1")], body);
        let expected = r#"{"operation":"dynamodb PutItem","body":{"Item":{"a":{"S":"x"},"b":{"N":"1"}},"TableName":"orders"}}"#;
        assert_eq!(put.to_string(), expected);

        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let publish = request(
            "POST /",
            "sns",
            &[form],
            b"Version=1&Action=Publish&Message=a%20b%2B",
        );
        assert_eq!(
            publish,
            json!({ "operation": "sns Publish", "body": { "Message": "a b+", "Version": "1" } })
        );

        let headers = [
            ("content-type", "text/plain"),
            ("x-amz-meta-a", "1"),
            ("x-amz-checksum-crc32", "AAAA"),
            ("x-amz-user-agent", "aws-sdk-js"),
            ("amz-sdk-invocation-id", "7"),
        ];
        let put = request(
            "PUT /documents/a%20b?x-id=PutObject&tagging",
            "s3",
            &headers,
            b"text",
        );
        assert_eq!(
            put,
            json!({
                "operation": "s3 PUT", "path": "/documents/a b", "query": { "tagging": "" },
                "headers": { "content-type": "text/plain", "x-amz-meta-a": "1" }, "body": "text",
            })
        );
        let get = request("GET /documents/a", "s3", &headers[..1], b"");
        assert_eq!(
            get,
            json!({ "operation": "s3 GET", "path": "/documents/a" })
        );
        for (path, expected) in [
            ("/b/", "/b"),
            ("/b", "/b"),
            ("/", "/"),
            ("/b/folder/", "/b/folder/"),
        ] {
            assert_eq!(
                request(&format!("GET {path}"), "s3", &[], b"")["path"],
                expected
            );
        }
        let binary = request("PUT /a", "s3", &[], &[0xff, 0xfe]);
        assert_eq!(binary["body"], "//4=");
    }

    #[test]
    fn chunks_are_the_body_that_they_carry() {
        let headers = [
            ("content-encoding", "aws-chunked, gzip"),
            ("x-amz-decoded-content-length", "7"),
        ];
        let body =
            b"4;chunk-signature=ab\r\nabcd\r\n3\r\nefg\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n";
        let put = request("PUT /a", "s3", &headers, body);
        assert_eq!(put["body"], "abcdefg");
        assert_eq!(put["headers"], json!({ "content-encoding": "gzip" }));
        for wrong in [&b"4\r\nab"[..], b"x\r\n", b"", b"ffffffffffffffff\r\na"] {
            let put = request("PUT /a", "s3", &headers, wrong);
            let body = put.get("body").and_then(Value::as_str).unwrap_or_default();
            assert_eq!(body.as_bytes(), wrong);
        }
    }

    #[test]
    fn a_token_that_an_sdk_generated_is_not_compared() {
        let target = ("x-amz-target", "DynamoDB_20120810.TransactWriteItems");
        let transact = |token: &str| {
            let body = json!({ "ClientRequestToken": token }).to_string();
            request("POST /", "dynamodb", &[target], body.as_bytes())
        };
        let generated = transact("5d5bd0a4-6a6e-4d5b-8a0b-0f5b3a4b8b11");
        assert_eq!(generated, transact("a6f2a1c0-0a3c-4d0e-9b8f-6b3b8c6a1d22"));
        assert_ne!(generated, transact("order-7"));
    }

    #[test]
    fn a_request_without_a_signature_is_of_an_unknown_service() {
        let (parts, ()) = http::Request::get("/a").body(()).unwrap().into_parts();
        assert_eq!(Request::new(&parts, &Bytes::new()).operation, "unknown GET");
        let presigned =
            "/a?X-Amz-Credential=key%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=1";
        let (parts, ()) = http::Request::get(presigned).body(()).unwrap().into_parts();
        let request = Request::new(&parts, &Bytes::new());
        assert_eq!((&*request.operation, request.members.len()), ("s3 GET", 1));
    }
}
