//! A failure on its way to the log: as a value, so that each format writes it in its own way.

use super::Error;
use serde::Serialize;
#[cfg(any(feature = "lambda", feature = "local"))]
use serde_json::{Value, json};
use std::{error::Error as StdError, fmt};

/// What a subscriber is given of a failure. As text it is the failure's wire form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Logged {
    error_type: String,
    error_message: String,
    trace: Vec<String>,
}

impl Error {
    /// The one line that a failed invocation leaves in the log, as Node writes it.
    pub(crate) fn log(&self) {
        // Made only where somebody takes the line.
        tracing::error!(
            error = &self.logged() as &(dyn StdError + 'static),
            "Invoke Error"
        );
    }

    fn logged(&self) -> Logged {
        Logged {
            error_type: self.error_type().into(),
            error_message: self.message().into(),
            trace: self.trace(),
        }
    }
}

impl Logged {
    /// The members of Node's log in JSON.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(crate) fn as_node_logs_it(&self) -> Value {
        json!({
            "errorType": self.error_type,
            "errorMessage": self.error_message,
            "stackTrace": self.trace,
        })
    }
}

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl StdError for Logged {}
