//! A streamed response of either side.

use super::{
    compare::{Members, members},
    outcome::{Seen, SentOutcome},
};
use crate::stream::{DELIMITER, HTTP_INTEGRATION};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// The maximum number of bytes of a stream that are read on either side, which is Lambda's limit.
pub(super) const LIMIT: usize = 200 * 1024 * 1024;

/// What was sent of a streamed response, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Streamed {
    pub(super) content_type: String,
    /// The JSON that `HttpResponseStream.from` was given, if it was sent.
    pub(super) metadata: Option<String>,
    pub(super) body: Bytes,
    pub(super) end: StreamEnd,
    /// Whether the process ended before all that was written had arrived. How much of it arrives
    /// differs from run to run.
    pub(super) is_cut: bool,
}

/// How a stream ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum StreamEnd {
    Ended,
    /// The JSON of the error that follows the last chunk, without its trace.
    Error(Value),
    /// It did not end before the deadline, or before the process ended.
    NotEnded,
    /// It was larger than [`LIMIT`].
    TooLarge,
}

impl Streamed {
    /// Splits what was sent into the metadata of an HTTP response, if there is any, and the body.
    pub(super) fn new(content_type: String, sent: Bytes, end: StreamEnd, is_cut: bool) -> Self {
        let mut streamed = Streamed {
            content_type,
            metadata: None,
            body: sent,
            end,
            is_cut,
        };
        if streamed.content_type == HTTP_INTEGRATION {
            streamed.split();
        }
        streamed
    }

    fn split(&mut self) {
        let mut windows = self.body.windows(DELIMITER.len());
        match windows.position(|window| window == DELIMITER) {
            Some(at) => {
                if let Ok(metadata) = std::str::from_utf8(self.body.get(..at).unwrap_or_default()) {
                    self.metadata = Some(metadata.to_owned());
                    self.body = self.body.slice(at + DELIMITER.len()..);
                }
            }
            // Incomplete metadata cannot be compared.
            None if self.is_cut => self.body = Bytes::new(),
            None => {}
        }
    }

    /// Returns whether nothing is known of what the function sent.
    pub(super) fn is_unknown(&self) -> bool {
        self.is_cut && self.metadata.is_none() && self.body.is_empty()
    }

    /// Returns a stream of which nothing had arrived when the process ended with an error.
    fn cut(error: &Value) -> Self {
        Streamed {
            content_type: String::new(),
            metadata: None,
            body: Bytes::new(),
            end: StreamEnd::Error(error.clone()),
            is_cut: true,
        }
    }

    /// Returns the equivalent response without streaming. For a stream with metadata, that is an
    /// object with the members of the metadata and the body, in the order of `buffered`, since a
    /// stream does not order them.
    fn as_response(&self, buffered: &[u8]) -> Bytes {
        let metadata = self.metadata.as_deref().map(members);
        let Some(Ok(Members(metadata))) = metadata else {
            return self.body.clone();
        };
        let own = std::str::from_utf8(buffered).map(members);
        let own = match &own {
            Ok(Ok(Members(own))) => own.as_slice(),
            _ => &[],
        };
        let own_value = |name: &str| {
            let mut own = own.iter();
            own.find(|(key, _)| key == name)
                .map(|(_, value)| value.get())
        };
        let is_encoded = own_value("isBase64Encoded") == Some("true");
        let (body, is_encoded) = match std::str::from_utf8(&self.body) {
            Ok(text) if !is_encoded => (text.into(), false),
            _ => (BASE64.encode(&self.body), true),
        };
        let mut members: Vec<(&str, String)> = metadata
            .iter()
            .map(|(key, value)| (&**key, value.get().to_owned()))
            .collect();
        if !self.body.is_empty() || own_value("body").is_some() {
            members.push(("body", Value::from(body).to_string()));
        }
        if is_encoded || own_value("isBase64Encoded").is_some() {
            members.push(("isBase64Encoded", is_encoded.to_string()));
        }
        members.sort_by_key(|(name, _)| {
            let at = own.iter().position(|(key, _)| key == name);
            at.unwrap_or(usize::MAX)
        });
        let member = |(key, value): (&str, String)| format!("{}:{value}", Value::from(key));
        let members: Vec<String> = members.into_iter().map(member).collect();
        format!("{{{}}}", members.join(",")).into()
    }
}

/// Returns a body as text, unless it has control characters that text does not have.
pub(super) fn text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    // `\x0c` is a page break, and `\x1b` begins a color.
    let is_of_text = |byte: u8| !byte.is_ascii_control() || b"\t\n\r\x0c\x1b".contains(&byte);
    text.bytes().all(is_of_text).then_some(text)
}

/// Returns whether one side streams and the other does not, as far as that is known.
pub(super) fn modes_differ(original: &Seen, port: &Seen) -> bool {
    match (&original.outcome, &port.outcome) {
        // A process that ends, or never responds, may have been about to stream.
        (SentOutcome::Nothing, _) | (_, SentOutcome::Nothing) => false,
        (SentOutcome::Error(_), SentOutcome::Stream(_)) => original.ended.is_none(),
        (SentOutcome::Stream(_), other) | (other, SentOutcome::Stream(_)) => {
            !matches!(other, SentOutcome::Stream(_))
        }
        _ => false,
    }
}

/// Returns the outcomes of both sides in a form in which they can be compared. If only one side
/// streams, its stream is converted to the equivalent response or error.
pub(super) fn alike<'a>(
    original: &'a Seen,
    port: &'a Seen,
) -> (Cow<'a, SentOutcome>, Cow<'a, SentOutcome>) {
    let (outcome, other) = (&original.outcome, &port.outcome);
    let (mut one, mut two) = (Cow::Borrowed(outcome), Cow::Borrowed(other));
    match (outcome, other) {
        (SentOutcome::Error(error), SentOutcome::Stream(_)) if original.ended.is_some() => {
            one = Cow::Owned(SentOutcome::Stream(Streamed::cut(error)));
        }
        (SentOutcome::Stream(stream), other) => one = Cow::Owned(stream.equivalent_to(other)),
        (outcome, SentOutcome::Stream(stream)) => two = Cow::Owned(stream.equivalent_to(outcome)),
        _ => {}
    }
    (one, two)
}

impl Streamed {
    /// Returns the equivalent outcome of the kind that the other side sent, or the stream itself if
    /// there is none.
    fn equivalent_to(&self, other: &SentOutcome) -> SentOutcome {
        match (&self.end, other) {
            (StreamEnd::Ended, SentOutcome::Response(buffered)) => {
                SentOutcome::Response(self.as_response(buffered))
            }
            (StreamEnd::Error(error), SentOutcome::Error(_)) if self.body.is_empty() => {
                SentOutcome::Error(error.clone())
            }
            (StreamEnd::NotEnded, SentOutcome::Nothing) if self.body.is_empty() => {
                SentOutcome::Nothing
            }
            _ => SentOutcome::Stream(self.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    fn http(sent: &'static [u8], is_cut: bool) -> Streamed {
        let sent = Bytes::from_static(sent);
        Streamed::new(HTTP_INTEGRATION.into(), sent, StreamEnd::Ended, is_cut)
    }

    #[test]
    fn metadata_is_split_from_the_body() {
        for (sent, is_cut, metadata, body) in [
            (
                &b"{}\0\0\0\0\0\0\0\0a\0"[..],
                false,
                Some("{}"),
                &b"a\0"[..],
            ),
            (b"{}\0\0\0\0\0\0\0\0", false, Some("{}"), b""),
            // Node sends no metadata without a write.
            (b"alone", false, None, b"alone"),
            (b"{\"status", true, None, b""),
            (
                b"\xff\0\0\0\0\0\0\0\0a",
                false,
                None,
                b"\xff\0\0\0\0\0\0\0\0a",
            ),
        ] {
            let streamed = http(sent, is_cut);
            assert_eq!(streamed.metadata.as_deref(), metadata, "{sent:?}");
            assert_eq!(&streamed.body[..], body, "{sent:?}");
        }
        let sent = Bytes::from_static(b"{}\0\0\0\0\0\0\0\0a");
        let other = Streamed::new("text/plain".into(), sent.clone(), StreamEnd::Ended, false);
        assert_eq!((other.metadata, other.body), (None, sent));
    }

    #[test]
    fn a_stream_is_converted_to_a_response_in_the_order_of_the_other() {
        let text = http(
            b"{\"statusCode\":200,\"headers\":{}}\0\0\0\0\0\0\0\0\"a\"",
            false,
        );
        let bytes = http(b"{\"statusCode\":200}\0\0\0\0\0\0\0\0\xff", false);
        let empty = http(b"{\"statusCode\":204}\0\0\0\0\0\0\0\0", false);
        for (streamed, buffered, expected) in [
            (
                &text,
                r#"{"body":"b","isBase64Encoded":false,"statusCode":200}"#,
                r#"{"body":"\"a\"","isBase64Encoded":false,"statusCode":200,"headers":{}}"#,
            ),
            (
                &text,
                "7",
                r#"{"statusCode":200,"headers":{},"body":"\"a\""}"#,
            ),
            (
                &text,
                r#"{"isBase64Encoded":true}"#,
                r#"{"isBase64Encoded":true,"statusCode":200,"headers":{},"body":"ImEi"}"#,
            ),
            (
                &bytes,
                "{}",
                r#"{"statusCode":200,"body":"/w==","isBase64Encoded":true}"#,
            ),
            (&empty, "{}", r#"{"statusCode":204}"#),
            (&empty, r#"{"body":""}"#, r#"{"body":"","statusCode":204}"#),
        ] {
            assert_eq!(streamed.as_response(buffered.as_bytes()), expected);
        }
        let plain = Streamed::new("text/plain".into(), "a".into(), StreamEnd::Ended, false);
        assert_eq!(plain.as_response(b"{}"), "a");
    }

    #[test]
    fn whether_only_one_side_streams_is_known_unless_a_process_ended() {
        let stream = || Seen::from(SentOutcome::Stream(http(b"", false)));
        let response = || Seen::from(SentOutcome::Response("1".into()));
        let error = || Seen::from(SentOutcome::Error(json!({ "errorType": "Error" })));
        let nothing = || Seen::from(SentOutcome::Nothing);
        let exited = Seen {
            ended: Some("exited with 129".into()),
            ..error()
        };
        for (original, port, differ) in [
            (stream(), stream(), false),
            (response(), stream(), true),
            (stream(), response(), true),
            (error(), stream(), true),
            (stream(), error(), true),
            (nothing(), stream(), false),
            (stream(), nothing(), false),
            (exited, stream(), false),
            (response(), error(), false),
        ] {
            assert_eq!(
                modes_differ(&original, &port),
                differ,
                "{original:?} {port:?}"
            );
        }
    }
}
