//! The program, once more, with a client of AWS that sends to the recorder.

use super::{RequestRecorder, failed};
use crate::error::{Error, Result};
use std::{env, process::ExitStatus};
use tokio::process::Command;

/// The variable by which a program knows that it was started for its requests to be recorded, and where: the addresses for
/// the port and for the original.
const RECORDER: &str = "NODEBACK_REQUEST_RECORDER";

/// The variable that every AWS SDK but version 2 of the one for JavaScript takes its endpoint from.
pub(in crate::parity) const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// What an AWS SDK needs, and Lambda sets, where the environment lacks it. A local server takes any.
pub(in crate::parity) fn defaults() -> Vec<(&'static str, String)> {
    let lacks = |names: [&str; 2]| names.iter().all(|name| env::var_os(name).is_none());
    let mut defaults = Vec::new();
    if lacks(["AWS_REGION", "AWS_DEFAULT_REGION"]) {
        defaults.push(("AWS_REGION", "us-east-1".into()));
    }
    if lacks(["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]) {
        defaults.push(("AWS_ACCESS_KEY_ID", "test".into()));
        defaults.push(("AWS_SECRET_ACCESS_KEY", "test".into()));
    }
    defaults
}

/// A program that was asked on its command line to record requests.
#[derive(Debug)]
pub(in crate::parity) enum Again {
    /// It was started with a recorder.
    Recorded(RequestRecorder),
    /// It was started by the user, and what it started has ended.
    Ended(ExitStatus),
}

impl Again {
    /// Starts the program again, unless that was done.
    ///
    /// The client of AWS reads its endpoint in `main`, before the command line is read here, and a process cannot set its own
    /// variables soundly while it has threads. This process keeps the recorder, so that it serves the other from its first
    /// instruction on: `main` may send requests, too.
    pub(in crate::parity) async fn run(needs_server: bool) -> Result<Self> {
        if let Ok(addresses) = env::var(RECORDER) {
            let addresses = addresses
                .split_once(' ')
                .and_then(|(port, original)| Some((port.parse().ok()?, original.parse().ok()?)));
            let (port, original) = addresses.ok_or_else(|| {
                failed(&format!(
                    "`{RECORDER}` is for the program's own use, and must not be set"
                ))
            })?;
            return Ok(Again::Recorded(RequestRecorder::of(port, original, None)));
        }
        let recorder = match env::var(ENDPOINT) {
            Ok(server) => RequestRecorder::start(&server).map_err(|error| {
                Error::ours(
                    "Runtime.RequestRecorderError",
                    format!("`{ENDPOINT}`: {}", error.message()),
                )
            })?,
            Err(_) if !needs_server => RequestRecorder::without_server()?,
            Err(_) => {
                let message = format!(
                    "`--requests` expects `{ENDPOINT}` to name a local server that stands in for AWS, such as \
                     `http://127.0.0.1:5000`"
                );
                return Err(Error::ours("Runtime.RequestRecorderError", message));
            }
        };
        if needs_server {
            recorder.reach().await?;
        }
        let program = env::current_exe().map_err(|error| failed(&error.to_string()))?;
        let mut again = Command::new(program)
            .args(env::args_os().skip(1))
            .envs(defaults())
            .env(ENDPOINT, recorder.endpoint())
            .env(RECORDER, format!("{} {}", recorder.port, recorder.original))
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let status = again
            .wait()
            .await
            .map_err(|error| failed(&error.to_string()))?;
        Ok(Again::Ended(status))
    }
}
