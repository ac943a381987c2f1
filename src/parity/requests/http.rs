//! HTTP on loopback: a request to a server, and what is kept of its response.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
        header::{
            CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, SERVER, TE, TRAILER,
            TRANSFER_ENCODING, UPGRADE,
        },
        response,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use tokio::{net::TcpStream, task::JoinSet};

/// The maximum size of a body. Requests of a function within Lambda's memory and time limits stay
/// far below it.
pub(super) const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Sends a request to a `HOST:PORT`, over a connection of its own.
pub(super) async fn send(
    authority: &str,
    request: Request<Body>,
) -> Result<(response::Parts, Bytes), Box<dyn StdError + Send + Sync>> {
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends when this future is dropped.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = to_bytes(Body::new(body), BODY_LIMIT).await?;
    Ok((parts, body))
}

/// Removes the headers that belong to one connection rather than to the message.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).iter();
    let named = named.filter_map(|names| names.to_str().ok());
    let named: Vec<HeaderName> = named
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = [CONNECTION, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    let others = [
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
    ];
    for name in named
        .into_iter()
        .chain(fixed)
        .chain(others.map(HeaderName::from_static))
    {
        headers.remove(name);
    }
}

/// A response of AWS, as it is replayed to the port.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Content,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Content {
    Text(String),
    Base64(String),
}

impl Reply {
    pub(super) fn new(method: &Method, mut parts: response::Parts, body: &Bytes) -> Self {
        remove_hop_by_hop(&mut parts.headers);
        // The `Content-Length` of a response to HEAD is that of a body that is not sent.
        if method != Method::HEAD {
            parts.headers.remove(CONTENT_LENGTH);
        }
        for name in [DATE, SERVER] {
            parts.headers.remove(name);
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = parts.headers.iter();
        Reply {
            status: parts.status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: match std::str::from_utf8(body) {
                Ok(text) => Content::Text(text.into()),
                Err(_) => Content::Base64(BASE64.encode(body)),
            },
        }
    }

    /// Returns an error in the format of AWS's services.
    pub(super) fn error(status: StatusCode, code: &str, message: &str, as_xml: bool) -> Self {
        let (kind, body) = if as_xml {
            let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            ("application/xml", body)
        } else {
            let body = serde_json::json!({ "__type": code, "message": message });
            ("application/x-amz-json-1.0", body.to_string())
        };
        let headers = [(CONTENT_TYPE.as_str(), kind), ("x-amzn-errortype", code)];
        Reply {
            status: status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec(),
            body: Content::Text(body),
        }
    }

    /// Returns whether an SDK retries the request.
    pub(super) fn is_retryable(&self) -> bool {
        let names = [
            "Throttl",
            "TooManyRequests",
            "ProvisionedThroughputExceeded",
            "RequestLimitExceeded",
            "SlowDown",
        ];
        let is_throttled = || match &self.body {
            // The body of a successful response is the user's data.
            Content::Text(text) => {
                self.status == 400 && names.iter().any(|name| text.contains(name))
            }
            Content::Base64(_) => false,
        };
        self.status >= 500 || self.status == 429 || is_throttled()
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = match self.body {
            Content::Text(text) => text.into(),
            // A recording may have been edited.
            Content::Base64(text) => BASE64.decode(text).unwrap_or_default(),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
