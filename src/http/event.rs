//! HTTP requests as function URL events, in API Gateway's payload format 2.0.

use crate::clock;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, Version, header, request::Parts};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{str, time::SystemTime};

/// A request without its body.
pub(crate) struct UrlRequest<'a> {
    pub(crate) parts: &'a Parts,
    /// The path below the function's URL.
    pub(crate) path: String,
    pub(crate) function: &'a str,
    pub(crate) request_id: &'a str,
}

/// The event. The types of `aws_lambda_events` omit some of its members or add others.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UrlEvent<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    query_string_parameters: Map<String, Value>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'static str,
    api_id: &'a str,
    domain_name: String,
    domain_prefix: &'a str,
    http: RequestLine<'a>,
    request_id: &'a str,
    route_key: &'static str,
    stage: &'static str,
    time: String,
    time_epoch: u128,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestLine<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: String,
    user_agent: String,
}

const DEFAULT: &str = "$default";

impl UrlRequest<'_> {
    /// Returns the event as JSON.
    pub(crate) fn event(&self, body: &[u8]) -> Vec<u8> {
        let Parts { headers, uri, .. } = self.parts;
        let now = clock::now();
        let (body, is_base64_encoded) = match text(headers, body) {
            _ if body.is_empty() => (None, false),
            Some(text) => (Some(text.into()), false),
            None => (Some(BASE64.encode(body)), true),
        };
        let event = UrlEvent {
            version: "2.0",
            route_key: DEFAULT,
            raw_path: &self.path,
            raw_query_string: uri.query().unwrap_or_default(),
            cookies: cookies(headers),
            headers: joined_headers(headers),
            query_string_parameters: joined(
                form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                    .map(|(name, value)| (name.into_owned(), value.into_owned())),
            ),
            request_context: RequestContext {
                account_id: "anonymous",
                api_id: self.function,
                domain_name: one(headers, header::HOST),
                domain_prefix: self.function,
                http: RequestLine {
                    method: self.parts.method.as_str(),
                    path: &self.path,
                    protocol: protocol(self.parts.version),
                    source_ip: source_ip(self.parts),
                    user_agent: one(headers, header::USER_AGENT),
                },
                request_id: self.request_id,
                route_key: DEFAULT,
                stage: DEFAULT,
                time: common_log_time(now),
                time_epoch: clock::since_1970(now).as_millis(),
            },
            body,
            is_base64_encoded,
        };
        // Its keys are strings and its numbers are finite, so writing it cannot fail.
        serde_json::to_vec(&event).unwrap_or_default()
    }
}

/// Returns the address that the request came from, or 127.0.0.1 if the server has not recorded it.
pub(super) fn source_ip(parts: &Parts) -> String {
    #[cfg(feature = "local")]
    {
        use axum::extract::ConnectInfo;
        use std::net::SocketAddr;
        if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
            return peer.ip().to_canonical().to_string();
        }
    }
    #[cfg(not(feature = "local"))]
    let _ = parts;
    "127.0.0.1".into()
}

/// Formats the time as in an access log: `12/Mar/2020:19:03:58 +0000`.
pub(super) fn common_log_time(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // 2020-03-12T19:03:58Z
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let part = |range| text.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok();
    let month = month.and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!(
        "{}/{}/{}:{} +0000",
        part(8..10),
        month.unwrap_or(&""),
        part(0..4),
        part(11..19)
    )
}

/// Returns the body, if AWS passes it on as text. AWS base64-encodes form bodies and bodies without
/// a content type.
pub(super) fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<&'a str> {
    const TEXT: [&str; 3] = [
        "application/json",
        "application/javascript",
        "application/xml",
    ];
    let content_type = one(headers, header::CONTENT_TYPE).to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_text = media_type.starts_with("text/") || TEXT.contains(&media_type);
    str::from_utf8(body).ok().filter(|_| is_text)
}

pub(super) fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter();
    values
        .map(|value| lossy(value.as_bytes()))
        .flat_map(|value| {
            let cookies = value.split(';').map(|cookie| cookie.trim().to_owned());
            cookies.collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Returns the headers. A function URL omits none of them, so the cookies are here as well.
fn joined_headers(headers: &HeaderMap) -> Map<String, Value> {
    let pairs = headers.iter();
    let mut all = joined(pairs.map(|(name, value)| (name.to_string(), lossy(value.as_bytes()))));
    if let Some(cookie) = all.get_mut(header::COOKIE.as_str()) {
        // Several cookie headers are joined with semicolons, as in RFC 9113 (8.2.3).
        let values = headers.get_all(header::COOKIE).iter();
        let values: Vec<_> = values.map(|value| lossy(value.as_bytes())).collect();
        *cookie = values.join("; ").into();
    }
    all
}

/// Joins the values of a name that occurs more than once with commas.
pub(super) fn joined(pairs: impl IntoIterator<Item = (String, String)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in pairs {
        match all.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => {
                all.insert(name, value.into());
            }
        }
    }
    all
}

pub(super) fn one(headers: &HeaderMap, name: header::HeaderName) -> String {
    let value = headers.get(name).map(|value| lossy(value.as_bytes()));
    value.unwrap_or_default()
}

pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[cfg(feature = "local")]
    #[test]
    fn the_source_ip_of_an_ipv4_client_is_ipv4_on_an_ipv6_socket() {
        use axum::extract::ConnectInfo;
        use std::net::SocketAddr;
        for (peer, source) in [
            ("[::ffff:192.0.2.7]:4000", "192.0.2.7"),
            ("[2001:db8::7]:4000", "2001:db8::7"),
        ] {
            let peer = peer.parse::<SocketAddr>().unwrap();
            let request = http::Request::get("/").extension(ConnectInfo(peer));
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(source_ip(&parts), source);
        }
    }

    #[test]
    fn times_are_formatted_as_in_an_access_log() {
        for (seconds, text) in [
            (1_584_039_838, "12/Mar/2020:19:03:58 +0000"),
            (0, "01/Jan/1970:00:00:00 +0000"),
            (1_798_761_599, "31/Dec/2026:23:59:59 +0000"),
        ] {
            assert_eq!(
                common_log_time(UNIX_EPOCH + Duration::from_secs(seconds)),
                text
            );
        }
    }
}
