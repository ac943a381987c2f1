//! A streamed response in a recording.

use super::stream::{StreamEnd, Streamed, text};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

/// A response that was streamed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordedStream {
    content_type: String,
    /// The text of the metadata, which is compared byte by byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    body: StreamBody,
    end: StreamEnd,
    /// Whether the process ended before all of it was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_cut: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum StreamBody {
    Text(String),
    Base64(String),
}

impl RecordedStream {
    pub(super) fn of(streamed: &Streamed) -> Self {
        RecordedStream {
            content_type: streamed.content_type.clone(),
            metadata: streamed.metadata.clone(),
            body: match text(&streamed.body) {
                Some(text) => StreamBody::Text(text.to_owned()),
                None => StreamBody::Base64(BASE64.encode(&streamed.body)),
            },
            end: streamed.end.clone(),
            is_cut: streamed.is_cut,
        }
    }

    pub(super) fn streamed(&self) -> Result<Streamed, base64::DecodeError> {
        Ok(Streamed {
            content_type: self.content_type.clone(),
            metadata: self.metadata.clone(),
            body: match &self.body {
                StreamBody::Text(text) => text.clone().into(),
                StreamBody::Base64(text) => BASE64.decode(text)?.into(),
            },
            end: self.end.clone(),
            is_cut: self.is_cut,
        })
    }
}
