//! An API Gateway REST API with Lambda proxy integration, which is payload format 1.0.

use super::{ACCOUNT_ID, API_ID, GatewayRequest, RESOURCE_ID, grouped, last, own};
use crate::{
    clock,
    http::{
        event::{common_log_time, protocol, source_ip},
        response::{HOP_BY_HOP, header, kind, status_of},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header as names};
use serde_json::{Map, Value, json};

/// The headers that a REST API does not pass on to the function.
const DROPPED: [&str; 12] = [
    "connection",
    "content-length",
    "content-md5",
    "expect",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// The default stage, as in SAM CLI.
const STAGE: &str = "Prod";

pub(super) fn event(request: &GatewayRequest<'_>, body: &[u8]) -> Value {
    let GatewayRequest { parts, path, .. } = request;
    let method = parts.method.as_str();
    let stage = request.settings.stage.as_deref().unwrap_or(STAGE);
    let now = clock::now();
    let headers = request.headers(&DROPPED).into_iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (title_case(&name), value))
        .collect();
    let query = request.decoded_query();
    let (body, is_base64_encoded) = encoded(request, body);
    json!({
        "resource": request.resource,
        "path": path,
        "httpMethod": method,
        "headers": last(&headers),
        "multiValueHeaders": grouped(&headers),
        "queryStringParameters": or_null(last(&query)),
        "multiValueQueryStringParameters": or_null(grouped(&query)),
        "pathParameters": or_null(last(request.path_parameters)),
        "stageVariables": or_null(last(&request.settings.stage_variables)),
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "deploymentId": RESOURCE_ID,
            "domainName": request.host(),
            "domainPrefix": API_ID,
            "extendedRequestId": extended_request_id(request.request_id),
            "httpMethod": method,
            "identity": {
                "accessKey": null,
                "accountId": null,
                "caller": null,
                "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null,
                "cognitoIdentityId": null,
                "cognitoIdentityPoolId": null,
                "principalOrgId": null,
                "sourceIp": source_ip(parts),
                "user": null,
                "userAgent": request.header(names::USER_AGENT),
                "userArn": null,
            },
            "path": format!("/{stage}{}", parts.uri.path()),
            "protocol": protocol(parts.version),
            "requestId": request.request_id,
            "requestTime": common_log_time(now),
            "requestTimeEpoch": millis(now),
            "resourceId": RESOURCE_ID,
            "resourcePath": request.resource,
            "stage": stage,
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}

pub(super) fn millis(time: std::time::SystemTime) -> u64 {
    let millis = clock::since_1970(time).as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// Returns null for an empty map, as a REST API sends it.
fn or_null(map: Map<String, Value>) -> Option<Map<String, Value>> {
    Some(map).filter(|map| !map.is_empty())
}

/// Converts `x-api-key` to `X-Api-Key`. A REST API keeps the case that the client sent, but hyper
/// does not.
fn title_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect::<Vec<_>>().join("-")
}

/// Returns an id in the form that a REST API uses.
fn extended_request_id(request_id: &str) -> String {
    BASE64.encode(request_id.bytes().take(11).collect::<Vec<_>>())
}

/// Encodes the body: as base64 if its type is one of the binary media types, and otherwise as text.
fn encoded(request: &GatewayRequest<'_>, body: &[u8]) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let types = &request.settings.binary_media_types;
    let content_type = request.header(names::CONTENT_TYPE).unwrap_or_default();
    if is_binary(&content_type, types) {
        return (Some(BASE64.encode(body)), true);
    }
    let text = String::from_utf8_lossy(body);
    if matches!(text, std::borrow::Cow::Owned(_)) {
        tracing::warn!(
            "the request body is not UTF-8, and a REST API garbles it unless its type is binary: \
             add `--binary-media-type` for `{content_type}`"
        );
    }
    (Some(text.into_owned()), false)
}

/// Returns whether the first media type in a header is one of `types`.
fn is_binary(header: &str, types: &[String]) -> bool {
    let first = header.split([',', ';']).next().unwrap_or_default();
    let first = first.trim().to_ascii_lowercase();
    types.iter().any(|media_type| {
        let all = media_type.strip_suffix("/*");
        match all {
            Some("*") => true,
            Some(main) => first.split('/').next() == Some(main),
            None => first == *media_type,
        }
    })
}

/// The members that a response may have. A REST API rejects any other.
const MEMBERS: [&str; 6] = [
    "statusCode",
    "headers",
    "multiValueHeaders",
    "body",
    "isBase64Encoded",
    "base64Encoded",
];

pub(super) fn response(
    request: &GatewayRequest<'_>,
    result: &Bytes,
) -> Result<Response<Bytes>, String> {
    let result = object(result)?;
    if let Some(other) = result.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!(
            "`{other}` is not a member of a response: expected `statusCode`, `headers`, \
             `multiValueHeaders`, `body` and `isBase64Encoded`"
        ));
    }
    let status = match result.get("statusCode") {
        None | Some(Value::Null) => StatusCode::OK,
        Some(status) => status_of(status)?,
    };
    let body = decoded(request, &result)?;
    let mut response = own(status, "application/json", body);
    let given = headers(&result)?;
    if given.contains_key(names::CONTENT_TYPE) {
        response.headers_mut().clear();
    }
    response.headers_mut().extend(given);
    Ok(response)
}

/// Returns the members of a result.
pub(super) fn object(result: &Bytes) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice::<Value>(result) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => Err(format!("it is {}: expected an object", kind(&other))),
        Err(error) => Err(format!("expected JSON: {error}")),
    }
}

/// Decodes the body. Base64 is decoded only for a client that accepts a binary media type.
fn decoded(request: &GatewayRequest<'_>, result: &Map<String, Value>) -> Result<Bytes, String> {
    let text = match result.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(other) => return Err(format!("`body` is {}: expected a string", kind(other))),
    };
    if !is_base64_encoded(result)? {
        return Ok(text.clone().into());
    }
    let accept = request.header(names::ACCEPT);
    let accept = accept.unwrap_or_else(|| "application/json".into());
    if !is_binary(&accept, &request.settings.binary_media_types) {
        tracing::warn!(
            "a REST API sends the base64 of a body as it is unless the first type in `Accept` is \
             binary: add `--binary-media-type` for `{accept}`"
        );
        return Ok(text.clone().into());
    }
    let body = BASE64.decode(text);
    body.map(Bytes::from)
        .map_err(|error| format!("`body`: expected base64: {error}"))
}

fn is_base64_encoded(result: &Map<String, Value>) -> Result<bool, String> {
    for name in ["base64Encoded", "isBase64Encoded"] {
        match result.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Bool(encoded)) => return Ok(*encoded),
            Some(other) => return Err(format!("`{name}` is {other}: expected a boolean")),
        }
    }
    Ok(false)
}

/// Merges `multiValueHeaders` and `headers`. A pair that is in both is sent once.
fn headers(result: &Map<String, Value>) -> Result<HeaderMap, String> {
    let mut all = multi_value_headers(result)?;
    for (name, value) in single_headers(result)? {
        if !all.get_all(&name).iter().any(|other| other == value) {
            all.append(name, value);
        }
    }
    // A REST API renames the headers that it sets itself.
    for name in ["connection", "content-length", "date", "server"] {
        let renamed = HeaderName::from_bytes(format!("x-amzn-remapped-{name}").as_bytes());
        if let (Some(value), Ok(renamed)) = (all.remove(name), renamed) {
            all.insert(renamed, value);
        }
    }
    for name in HOP_BY_HOP {
        all.remove(name);
    }
    Ok(all)
}

pub(super) fn single_headers(
    result: &Map<String, Value>,
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let given = match result.get("headers") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(given)) => given,
        Some(other) => return Err(format!("`headers` is {}: expected an object", kind(other))),
    };
    let given = given.iter();
    given.map(|(name, value)| header(name, value)).collect()
}

pub(super) fn multi_value_headers(result: &Map<String, Value>) -> Result<HeaderMap, String> {
    let given = match result.get("multiValueHeaders") {
        None | Some(Value::Null) => return Ok(HeaderMap::new()),
        Some(Value::Object(given)) => given,
        Some(other) => {
            let kind = kind(other);
            return Err(format!("`multiValueHeaders` is {kind}: expected an object"));
        }
    };
    let mut all = HeaderMap::new();
    for (name, values) in given {
        let Value::Array(values) = values else {
            let kind = kind(values);
            return Err(format!(
                "`{name}` in `multiValueHeaders` is {kind}: expected an array"
            ));
        };
        for value in values {
            let (name, value) = header(name, value)?;
            all.append(name, value);
        }
    }
    Ok(all)
}

/// Returns a response of API Gateway itself.
pub(super) fn error(
    status: StatusCode,
    error_type: &'static str,
    body: &'static str,
) -> Response<Bytes> {
    let mut response = own(status, "application/json", body);
    let error_type = HeaderValue::from_static(error_type);
    let name = HeaderName::from_static("x-amzn-errortype");
    response.headers_mut().insert(name, error_type);
    response
}
