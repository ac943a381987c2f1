//! Starts the program again, so that its AWS client sends to the recorder.

use super::{RequestRecorder, failed};
use crate::error::{Error, Result};
use std::{env, process::ExitStatus};
use tokio::process::Command;

/// The environment variable that passes the recorder's addresses, for the port and for the
/// original, to the program when it is started again.
const RECORDER: &str = "NODEBACK_REQUEST_RECORDER";

/// The environment variable from which every AWS SDK takes its endpoint, except for version 2 of
/// the SDK for JavaScript.
pub(in crate::parity) const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// Returns the variables that an AWS SDK needs and that Lambda sets, if the environment lacks them.
/// A local server accepts any values.
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

/// Which of the two processes of a program this is, if its command line has `--requests`.
#[derive(Debug)]
pub(in crate::parity) enum Again {
    /// The second one, which has a recorder.
    Recorded(RequestRecorder),
    /// The first one, which the user started. The second one has ended.
    Ended(ExitStatus),
}

impl Again {
    /// Starts the program again, unless this is the second process.
    ///
    /// The AWS client reads its endpoint in `main`, before the command line is parsed here, and a
    /// process cannot soundly set its own environment variables while it has threads. The first
    /// process keeps the recorder, so that the second one can use it from the start: its `main` may
    /// also send requests.
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
