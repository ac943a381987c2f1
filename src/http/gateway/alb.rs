//! An Application Load Balancer with a function in its target group.

use super::{
    ACCOUNT_ID, GatewayRequest, grouped, last, own,
    rest::{multi_value_headers, object, single_headers},
};
use crate::http::{
    event::text,
    response::{HOP_BY_HOP, body as body_of, status_of},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Map, Value, json};

pub(super) fn event(request: &GatewayRequest<'_>, body: &[u8]) -> Value {
    let GatewayRequest {
        function, region, ..
    } = request;
    let target_group = format!(
        "arn:aws:elasticloadbalancing:{region}:{ACCOUNT_ID}:targetgroup/{function}/0123456789abcdef"
    );
    let headers = request.headers(&[]);
    let query = raw_query(request.query());
    let members = match request.settings.alb_multi_value_headers {
        true => [
            ("multiValueQueryStringParameters", grouped(&query)),
            ("multiValueHeaders", grouped(&headers)),
        ],
        false => [
            ("queryStringParameters", last(&query)),
            ("headers", last(&headers)),
        ],
    };
    let is_compressed = request.header(header::CONTENT_ENCODING).is_some();
    let text = text(&request.parts.headers, body).filter(|_| !is_compressed);
    let (body, is_base64_encoded) = match text {
        _ if body.is_empty() => (String::new(), false),
        Some(text) => (text.into(), false),
        None => (BASE64.encode(body), true),
    };
    let mut event = json!({
        "requestContext": { "elb": { "targetGroupArn": target_group } },
        "httpMethod": request.parts.method.as_str(),
        "path": request.path,
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    });
    if let Value::Object(event) = &mut event {
        event.extend(members.map(|(member, map)| (member.into(), map.into())));
    }
    event
}

/// Returns the parameters as they were sent: a load balancer does not decode them.
fn raw_query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub(super) fn response(
    has_multi_value_headers: bool,
    result: &Bytes,
) -> Result<Response<Bytes>, String> {
    let result = object(result)?;
    let status = match result.get("statusCode") {
        Some(status) => status_of(status)?,
        None => return Err("`statusCode` is missing: expected 200 to 599".into()),
    };
    let mut response = own(status, "application/octet-stream", body_of(&result)?);
    let mut given = headers(has_multi_value_headers, &result)?;
    for name in HOP_BY_HOP {
        given.remove(name);
    }
    if given.contains_key(header::CONTENT_TYPE) || response.body().is_empty() {
        response.headers_mut().clear();
    }
    response.headers_mut().extend(given);
    Ok(response)
}

/// Returns the headers in the member that the target group uses. The other member is ignored.
fn headers(
    has_multi_value_headers: bool,
    result: &Map<String, Value>,
) -> Result<HeaderMap, String> {
    let ignored = match has_multi_value_headers {
        true => "headers",
        false => "multiValueHeaders",
    };
    let given = result.get(ignored).and_then(Value::as_object);
    if given.is_some_and(|given| !given.is_empty()) {
        tracing::warn!(
            "a load balancer ignores `{ignored}` of a response: its target group has multi-value \
             headers either on (`--alb-multi-value-headers`) or off"
        );
    }
    match has_multi_value_headers {
        true => multi_value_headers(result),
        false => Ok(single_headers(result)?.into_iter().collect()),
    }
}

/// Returns a response of the load balancer itself.
pub(super) fn error(status: StatusCode) -> Response<Bytes> {
    let html = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n\
         <center><h1>{status}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    own(status, "text/html", html)
}
