//! Requests as the events of API Gateway and of load balancers, and results as their responses.

mod alb;
mod http_api;
mod rest;

use super::event::{lossy, source_ip};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use serde_json::{Map, Value};

/// The service between the client and the function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gateway {
    /// An API Gateway REST API with Lambda proxy integration.
    Rest,
    /// An API Gateway HTTP API with payload format 2.0.
    HttpApi,
    /// An Application Load Balancer.
    Alb,
}

/// The settings of the gateways.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GatewaySettings {
    pub(crate) stage: Option<String>,
    pub(crate) stage_variables: Vec<(String, String)>,
    /// The media types that a REST API treats as binary, in lower case.
    pub(crate) binary_media_types: Vec<String>,
    /// Whether the target group has multi-value headers.
    pub(crate) alb_multi_value_headers: bool,
}

/// A request that matched a route, except for its body.
pub(crate) struct GatewayRequest<'a> {
    pub(crate) gateway: Gateway,
    pub(crate) settings: &'a GatewaySettings,
    pub(crate) parts: &'a Parts,
    pub(crate) request_id: &'a str,
    /// The path as the event has it: only an HTTP API decodes it.
    pub(crate) path: &'a str,
    /// The path of the route, such as `/clients/{id}`.
    pub(crate) resource: &'a str,
    /// The route with its method, such as `GET /clients/{id}`.
    pub(crate) route_key: &'a str,
    pub(crate) path_parameters: &'a [(String, String)],
    pub(crate) function: &'a str,
    pub(crate) region: &'a str,
}

/// The account, API and resource of every event. SAM CLI uses the same ones.
const ACCOUNT_ID: &str = "123456789012";
const API_ID: &str = "1234567890";
const RESOURCE_ID: &str = "123456";

impl GatewayRequest<'_> {
    /// Returns the event as JSON.
    pub(crate) fn event(&self, body: &[u8]) -> Vec<u8> {
        let event = match self.gateway {
            Gateway::Rest => rest::event(self, body),
            Gateway::HttpApi => http_api::event(self, body),
            Gateway::Alb => alb::event(self, body),
        };
        // Its keys are strings and its numbers are finite, so writing it cannot fail.
        serde_json::to_vec(&event).unwrap_or_default()
    }

    /// Converts a result to the gateway's response.
    ///
    /// # Errors
    ///
    /// A message that says why the gateway cannot use the result.
    pub(crate) fn response(&self, result: &Bytes) -> Result<Response<Bytes>, String> {
        match self.gateway {
            Gateway::Rest => rest::response(self, result),
            Gateway::HttpApi => http_api::response(result),
            Gateway::Alb => alb::response(self.settings.alb_multi_value_headers, result),
        }
    }

    /// Returns the headers that the function receives, in lower case, with those that a gateway
    /// adds.
    fn headers(&self, dropped: &[&str]) -> Vec<(String, String)> {
        const ADDED: [&str; 3] = ["x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"];
        let headers = &self.parts.headers;
        let kept = headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            !ADDED.contains(&name) && !dropped.contains(&name)
        });
        let kept = kept.map(|(name, value)| (name.to_string(), lossy(value.as_bytes())));
        let mut all: Vec<_> = kept.collect();
        let client = source_ip(self.parts);
        let earlier = headers.get_all(ADDED[0]).iter();
        let mut hops: Vec<_> = earlier.map(|value| lossy(value.as_bytes())).collect();
        hops.push(client);
        let added = [hops.join(", "), self.port(), "http".into()];
        all.extend(ADDED.map(String::from).into_iter().zip(added));
        all
    }

    /// Returns the port that the client called.
    fn port(&self) -> String {
        let host = self.host().unwrap_or_default();
        let port = host.rsplit_once(':').map(|(_, port)| port.to_owned());
        let port = port.filter(|port| port.parse::<u16>().is_ok());
        port.unwrap_or_else(|| "80".into())
    }

    fn host(&self) -> Option<String> {
        self.header(header::HOST)
    }

    fn header(&self, name: header::HeaderName) -> Option<String> {
        let value = self.parts.headers.get(name)?;
        Some(lossy(value.as_bytes()))
    }

    fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// Returns the decoded parameters of the query.
    fn decoded_query(&self) -> Vec<(String, String)> {
        let pairs = form_urlencoded::parse(self.query().as_bytes());
        pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    }
}

impl Gateway {
    /// Returns the response for a function that failed, or whose result is not a response.
    pub(crate) fn failed(self) -> Response<Bytes> {
        match self {
            Gateway::Rest => rest::error(
                StatusCode::BAD_GATEWAY,
                "InternalServerErrorException",
                r#"{"message": "Internal server error"}"#,
            ),
            Gateway::HttpApi => http_api::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                r#"{"message":"Internal Server Error"}"#,
            ),
            Gateway::Alb => alb::error(StatusCode::BAD_GATEWAY),
        }
    }

    /// Returns the response for a request that no route matches.
    pub(crate) fn no_route(self) -> Response<Bytes> {
        match self {
            Gateway::Rest => rest::error(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationTokenException",
                r#"{"message":"Missing Authentication Token"}"#,
            ),
            Gateway::HttpApi => {
                http_api::error(StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#)
            }
            Gateway::Alb => alb::error(StatusCode::NOT_FOUND),
        }
    }

    /// Returns the response for a request that is too large.
    pub(crate) fn too_large(self) -> Response<Bytes> {
        match self {
            Gateway::Rest => rest::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestTooLargeException",
                r#"{"message":"Request Too Long"}"#,
            ),
            Gateway::HttpApi => http_api::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                r#"{"message":"Request Entity Too Large"}"#,
            ),
            Gateway::Alb => alb::error(StatusCode::PAYLOAD_TOO_LARGE),
        }
    }

    /// Returns the gateway's limit for a body and for a result, in bytes, if it is below Lambda's
    /// own limits.
    pub(crate) fn limit(self) -> usize {
        match self {
            Gateway::Rest | Gateway::HttpApi => usize::MAX,
            Gateway::Alb => 1024 * 1024,
        }
    }

    /// Returns the name of the header that holds the request id.
    pub(crate) fn request_id_header(self) -> &'static str {
        match self {
            Gateway::Rest | Gateway::Alb => "x-amzn-requestid",
            Gateway::HttpApi => "apigw-requestid",
        }
    }
}

/// Returns the response of an HTTP API to a path that it cannot decode. No other gateway decodes
/// paths.
pub(crate) fn bad_request() -> Response<Bytes> {
    http_api::error(StatusCode::BAD_REQUEST, r#"{"message":"Bad Request"}"#)
}

/// Returns the values of each name, as an array.
fn grouped(pairs: &[(String, String)]) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in pairs {
        let values = all.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.push(value.as_str().into());
        }
    }
    all
}

/// Returns the last value of each name.
fn last(pairs: &[(String, String)]) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in pairs {
        all.insert(name.clone(), value.as_str().into());
    }
    all
}

fn set_content_type(headers: &mut HeaderMap, content_type: &'static str) {
    let content_type = HeaderValue::from_static(content_type);
    headers.insert(header::CONTENT_TYPE, content_type);
}

/// Returns a response of the gateway itself.
fn own(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    set_content_type(response.headers_mut(), content_type);
    response
}
