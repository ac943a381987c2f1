//! The events that the page offers: samples, and the files of a folder.

use super::{json_of, not_found};
use crate::local::{
    configuration::new_id,
    invoke::Server,
    invoke_request,
    limits::EVENT_LIMIT,
    rejection::{Rejection, set},
    source::without_byte_order_mark,
};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{Response, StatusCode},
};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
};
use tokio::task::spawn_blocking;

macro_rules! samples {
    ($($name:literal: $label:literal,)+) => {
        &[$(($name, $label, include_str!(concat!("samples/", $name, ".json")))),+]
    };
}

/// The name, the label and the JSON of each sample.
const SAMPLES: &[(&str, &str, &str)] = samples! {
    "empty": "Empty object",
    "api-gateway-rest": "API Gateway REST API",
    "api-gateway-http": "API Gateway HTTP API",
    "function-url": "Function URL",
    "alb": "Application Load Balancer",
    "s3": "S3: object created",
    "sqs": "SQS: messages",
    "sns": "SNS: notification",
    "dynamodb": "DynamoDB stream",
    "kinesis": "Kinesis stream",
    "eventbridge": "EventBridge: event",
    "cognito": "Cognito: pre sign-up",
    "cloudformation": "CloudFormation: custom resource",
};

/// The maximum number of files that are offered.
const FILES: usize = 1_000;

pub(super) fn samples() -> Vec<Value> {
    let samples = SAMPLES.iter();
    samples
        .map(|(name, label, _)| json!({ "name": name, "label": label }))
        .collect()
}

pub(super) async fn sample(Path(name): Path<String>) -> Response<Body> {
    let sample = SAMPLES.iter().find(|(sample, ..)| *sample == name);
    sample.map_or_else(not_found, |(.., json)| text((*json).into()))
}

/// Responds with one of the files of the folder, even if it is not JSON: the page shows the
/// mistake.
pub(super) async fn file(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Response<Body> {
    match server.events.read(name).await {
        Some(Ok(event)) => text(event),
        Some(Err(mistake)) => Rejection::content(mistake).respond(&new_id()),
        None => not_found(),
    }
}

/// Responds with the first mistake in a text that has to be JSON, and its position.
pub(super) async fn check(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    match invoke_request::body(request.into_body(), &server.limits).await {
        Ok(event) => json_of(StatusCode::OK, &mistake(&String::from_utf8_lossy(&event))),
        Err(rejection) => rejection.respond(&new_id()),
    }
}

/// Returns the first mistake in a text that has to be JSON, or null. An empty text is valid, since
/// it means `{}`.
fn mistake(text: &str) -> Value {
    let error = match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) if !text.is_empty() => error,
        _ => return Value::Null,
    };
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let lines = text.split_inclusive('\n');
    let before: String = lines.clone().take(error.line().saturating_sub(1)).collect();
    // The column of `serde_json` counts bytes, up to the last byte that was read.
    let line = text.get(before.len()..).unwrap_or_default();
    let line = line.char_indices();
    let line: String = line
        .take_while(|(at, character)| at + character.len_utf8() < error.column())
        .map(|(_, character)| character)
        .collect();
    json!({
        "message": message.strip_suffix(&place).unwrap_or(&message),
        "line": error.line().max(1),
        "column": line.chars().count() + 1,
        // In UTF-16 code units from the start of the text, as in JavaScript.
        "index": utf16_length(&before) + utf16_length(&line),
    })
}

fn utf16_length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn text(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    set(
        response.headers_mut(),
        "content-type",
        "text/plain; charset=utf-8",
    );
    response
}

/// The folder of `--events`, if there is one.
#[derive(Clone, Debug, Default)]
pub(in crate::local) struct EventFolder(Option<PathBuf>);

impl EventFolder {
    pub(in crate::local) fn of(folder: Option<PathBuf>) -> Self {
        EventFolder(folder)
    }

    /// Returns the current names of its JSON files, or null without a folder.
    pub(super) async fn list(&self) -> Value {
        let this = self.clone();
        let listed = spawn_blocking(move || this.names());
        match listed.await {
            Ok(Some(Ok(names))) => json!({ "files": names }),
            Ok(Some(Err(error))) => json!({ "files": [], "error": error.to_string() }),
            Ok(None) | Err(_) => Value::Null,
        }
    }

    fn names(&self) -> Option<io::Result<Vec<String>>> {
        let folder = self.0.as_ref()?;
        let names = folder.read_dir().map(|entries| {
            let entries = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let mut names: Vec<_> = entries
                .filter(|name| name.ends_with(".json"))
                .take(FILES)
                .collect();
            names.sort_unstable();
            names
        });
        Some(names)
    }

    /// Reads one of these files. `None` if it is not one of them.
    async fn read(&self, name: String) -> Option<Result<String, String>> {
        let this = self.clone();
        let read = spawn_blocking(move || this.read_now(&name));
        read.await.ok().flatten()
    }

    fn read_now(&self, name: &str) -> Option<Result<String, String>> {
        // Only a name that the folder lists is read, so no path leads out of the folder.
        let names = self.names()?.ok()?;
        names.iter().any(|file| file == name).then_some(())?;
        let path = self.0.as_ref()?.join(name);
        // Opening a named pipe would wait until something writes into it.
        if !path.is_file() {
            return Some(Err(format!("`{name}`: expected a file")));
        }
        let mut content = Vec::new();
        let limit = EVENT_LIMIT as u64 + 1;
        let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut content));
        Some(match read {
            Err(error) => Err(format!("`{name}`: {error}")),
            Ok(_) if content.len() > EVENT_LIMIT => Err(format!(
                "`{name}`: expected an event of at most {EVENT_LIMIT} bytes"
            )),
            Ok(_) => String::from_utf8(without_byte_order_mark(content.into()).into())
                .map_err(|_| format!("`{name}`: expected the event in UTF-8")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_json() {
        for (name, label, json) in SAMPLES {
            assert_eq!(mistake(json), Value::Null, "{name}, {label}");
        }
    }

    #[test]
    fn a_mistake_has_the_position_where_the_json_is_invalid() {
        for (text, message, (line, column, index)) in [
            ("{\"a\":}", "expected value", (1, 6, 5)),
            ("[1,\n 2\n 3]", "expected `,` or `]`", (3, 2, 8)),
            ("[\"😀ż\" x]", "expected `,` or `]`", (1, 7, 7)),
            ("[1", "EOF while parsing a list", (1, 2, 1)),
            ("x", "expected value", (1, 1, 0)),
            ("\n\nnul", "EOF while parsing a value", (3, 3, 4)),
            ("{\"a\": \"\n\"}", "control character", (1, 7, 6)),
        ] {
            let found = mistake(text);
            let start = found["message"].as_str().unwrap();
            assert!(start.starts_with(message), "{text}: {found}");
            assert!(!start.contains("column"), "{found}");
            let place = json!([found["line"], found["column"], found["index"]]);
            assert_eq!(place, json!([line, column, index]), "{text}: {found}");
        }
        for text in ["", "{}", " 7\n", "\"\\ud800\""] {
            assert_eq!(mistake(text), Value::Null, "{text}");
        }
    }
}
