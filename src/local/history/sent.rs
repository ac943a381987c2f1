//! The status and the headers of the HTTP response to an invocation.

use axum::http::Response;
use serde::Serialize;

/// The maximum number of headers that are kept.
const HEADERS: usize = 100;

/// How many bytes of a name or a value are kept.
const TEXT: usize = 1024;

/// What a header takes in addition to its name and value.
const HEADER: usize = 64;

/// The status and the headers of a response that the server sent. The server notices that a client
/// has disconnected only when it writes, so a client may not have received them.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::local) struct Sent {
    status: u16,
    reason: Option<&'static str>,
    /// The names and values. Long ones end with an ellipsis.
    headers: Vec<(String, String)>,
    /// How many headers are not among these.
    left_out: usize,
}

impl Sent {
    pub(super) fn of<B>(response: &Response<B>) -> Self {
        let (status, headers) = (response.status(), response.headers());
        let kept = headers.iter().take(HEADERS);
        Sent {
            status: status.as_u16(),
            reason: status.canonical_reason(),
            headers: kept
                .map(|(name, value)| (start(name.as_str().as_bytes()), start(value.as_bytes())))
                .collect(),
            left_out: headers.len().saturating_sub(HEADERS),
        }
    }

    /// Returns the number of bytes that the texts take.
    pub(super) fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| HEADER + name.len() + value.len())
            .sum()
    }
}

fn start(text: &[u8]) -> String {
    match text.get(..TEXT) {
        Some(start) if text.len() > TEXT => format!("{}…", String::from_utf8_lossy(start)),
        _ => String::from_utf8_lossy(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn with(headers: impl IntoIterator<Item = (String, Vec<u8>)>) -> Sent {
        let mut response = Response::new(());
        for (name, value) in headers {
            let name = HeaderName::try_from(name).unwrap();
            let value = HeaderValue::from_bytes(&value).unwrap();
            response.headers_mut().append(name, value);
        }
        Sent::of(&response)
    }

    #[test]
    fn headers_are_kept_in_their_order_and_as_often_as_they_were_sent() {
        let sent = with([
            ("set-cookie".into(), b"a=1".to_vec()),
            ("x-b".into(), b"7 \xe9".to_vec()),
            ("set-cookie".into(), b"b=2".to_vec()),
        ]);
        assert_eq!((sent.status, sent.reason), (200, Some("OK")));
        let headers: Vec<_> = sent.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        let expected = [
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("x-b", "7 \u{fffd}"),
        ];
        assert_eq!(headers, expected);
    }

    #[test]
    fn the_number_of_headers_and_their_length_are_bounded() {
        let many = (0..HEADERS + 3).map(|n| (format!("x-{n}"), vec![b'v'; 70_000]));
        let sent = with(many);
        assert_eq!((sent.headers.len(), sent.left_out), (HEADERS, 3));
        let (_, value) = &sent.headers[0];
        assert_eq!(*value, "v".repeat(TEXT) + "…");
        assert!(sent.bytes() < 2 * HEADERS * TEXT, "{}", sent.bytes());
        let short = with([("x".into(), vec![b'v'; TEXT])]);
        assert_eq!(short.headers[0].1, "v".repeat(TEXT));
        assert_eq!(short.bytes(), HEADER + 1 + TEXT);
    }
}
