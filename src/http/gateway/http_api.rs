//! An API Gateway HTTP API, with payload format 2.0.

use super::{ACCOUNT_ID, API_ID, GatewayRequest, last, own, rest::millis, set_content_type};
use crate::{
    clock,
    http::{
        event::{common_log_time, cookies, joined, protocol, source_ip, text},
        response,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// The headers that an HTTP API does not pass on to the function. Cookies have a member of their
/// own.
const DROPPED: [&str; 6] = [
    "connection",
    "cookie",
    "expect",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
];

/// The default stage, which is the only one that is not part of the path.
const DEFAULT: &str = "$default";

pub(super) fn event(request: &GatewayRequest<'_>, body: &[u8]) -> Value {
    let GatewayRequest { parts, .. } = request;
    let stage = request.settings.stage.as_deref().unwrap_or(DEFAULT);
    let path = match stage {
        DEFAULT => request.path.to_owned(),
        named => format!("/{named}{}", request.path),
    };
    let now = clock::now();
    let mut headers = request.headers(&DROPPED);
    if !parts.headers.contains_key(header::CONTENT_LENGTH) {
        headers.push(("content-length".into(), body.len().to_string()));
    }
    // Empty members are left out.
    let mut optional = Map::new();
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        optional.insert("cookies".into(), cookies.into());
    }
    for (member, map) in [
        ("queryStringParameters", joined(request.decoded_query())),
        ("pathParameters", last(request.path_parameters)),
        ("stageVariables", last(&request.settings.stage_variables)),
    ] {
        if !map.is_empty() {
            optional.insert(member.into(), map.into());
        }
    }
    let text = text(&parts.headers, body);
    if !body.is_empty() {
        let body = text.map_or_else(|| BASE64.encode(body), String::from);
        optional.insert("body".into(), body.into());
    }
    let mut event = json!({
        "version": "2.0",
        "routeKey": request.route_key,
        "rawPath": path,
        "rawQueryString": request.query(),
        "headers": joined(headers),
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "domainName": request.host().unwrap_or_default(),
            "domainPrefix": API_ID,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": protocol(parts.version),
                "sourceIp": source_ip(parts),
                "userAgent": request.header(header::USER_AGENT).unwrap_or_default(),
            },
            "requestId": request.request_id,
            "routeKey": request.route_key,
            "stage": stage,
            "time": common_log_time(now),
            "timeEpoch": millis(now),
        },
        "isBase64Encoded": !body.is_empty() && text.is_none(),
    });
    if let Value::Object(event) = &mut event {
        event.extend(optional);
    }
    event
}

/// Converts a result to a response of payload format 2.0, as for a function URL. If it has a status
/// code and no content type, the content type is plain text.
pub(super) fn response(result: &Bytes) -> Result<Response<Bytes>, String> {
    let mut response = response::of(result)?;
    let members = serde_json::from_slice::<Value>(result).unwrap_or_default();
    let headers = members.get("headers").and_then(Value::as_object);
    let names_type = headers.is_some_and(|headers| {
        let mut names = headers.keys();
        names.any(|name| name.eq_ignore_ascii_case("content-type"))
    });
    let has_status = members.get("statusCode").is_some();
    if has_status && !names_type && !response.body().is_empty() {
        set_content_type(response.headers_mut(), "text/plain; charset=utf-8");
    }
    Ok(response)
}

/// Returns a response of API Gateway itself.
pub(super) fn error(status: StatusCode, body: &'static str) -> Response<Bytes> {
    own(status, "application/json", body)
}
