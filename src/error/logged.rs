//! Errors as log subscribers receive them: as values, so that each log format can write them in its
//! own way.

use super::{Error, Kind};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{error::Error as StdError, fmt};

/// The part of an error that is logged. Its `Display` is its JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Logged {
    error_type: String,
    error_message: String,
    #[serde(flatten)]
    members: Map<String, Value>,
    trace: Vec<String>,
}

impl Error {
    /// Logs the one line about a failed invocation, as Node's runtime does.
    pub(crate) fn log(&self) {
        // The value is created only if a subscriber takes the line.
        tracing::error!(
            error = &self.logged() as &(dyn StdError + 'static),
            "Invoke Error"
        );
    }

    /// Returns the members, except those with the name of a field that the line already has. The
    /// code comes first, as in Node.
    fn members_to_log(&self) -> Map<String, Value> {
        const OWN: [&str; 4] = ["errorType", "errorMessage", "trace", "stackTrace"];
        // Node does not log the members of a value that is not an `Error`.
        if matches!(self.0.kind, Kind::Value) {
            return Map::new();
        }
        let members = self.0.members.iter().flatten();
        let code = self
            .member("code")
            .map(|code| ("code".to_owned(), code.clone()));
        let others = members.filter(|(name, _)| *name != "code" && !OWN.contains(&name.as_str()));
        let others = others.map(|(name, value)| (name.clone(), value.clone()));
        code.into_iter().chain(others).collect()
    }

    fn logged(&self) -> Logged {
        Logged {
            error_type: self.error_type().into(),
            error_message: self.message().into(),
            members: self.members_to_log(),
            trace: self.trace(),
        }
    }
}

impl Logged {
    /// Returns the members that Node's log has in JSON format.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(crate) fn as_node_logs_it(&self) -> Value {
        let mut logged = Map::new();
        logged.insert("errorType".into(), self.error_type.as_str().into());
        logged.insert("errorMessage".into(), self.error_message.as_str().into());
        logged.extend(self.members.clone());
        logged.insert("stackTrace".into(), self.trace.clone().into());
        logged.into()
    }
}

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl StdError for Logged {}
