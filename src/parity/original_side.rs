//! The original of a comparison, with the process that runs it.

use super::{
    Comparison,
    client::NodeClient,
    comparison::Mode,
    original::{Environment, Invocation, OriginalProcess},
    outcome::Seen,
    package::Original,
    requests::RequestRecorder,
};
use crate::{error::Result, invocation::ContextMembers};
use std::time::Duration;

/// The pause between loading a process whose requests are recorded and its first event.
const LOADED: Duration = Duration::from_millis(100);

/// The original, with the process that runs it, if one is running.
pub(super) struct OriginalSide {
    client: NodeClient,
    original: Original,
    pub(super) process: Option<OriginalProcess>,
    requests: Option<RequestRecorder>,
    /// Whether the lines of its log are kept.
    logs: bool,
}

impl OriginalSide {
    /// Returns the original, or `None` if a recording takes its place.
    pub(super) async fn of(comparison: &Comparison) -> Result<Option<Self>> {
        if comparison.mode == Mode::Recorded {
            return Ok(None);
        }
        Ok(Some(OriginalSide {
            original: Original::parse(&comparison.original, comparison.root.as_deref())?,
            client: NodeClient::find_or_install().await?,
            process: None,
            requests: comparison.requests.clone(),
            logs: comparison.logs,
        }))
    }

    /// Returns the running process, or starts one, as Lambda does.
    async fn start(&mut self, context: &ContextMembers) -> Result<&mut OriginalProcess> {
        match &mut self.process {
            Some(process) => Ok(process),
            none => {
                let mut environment = environment(context);
                if let Some(recorder) = &self.requests {
                    environment.0.extend(recorder.environment_of_original());
                }
                let started =
                    OriginalProcess::start(&self.client, &self.original, &environment, self.logs);
                Ok(none.insert(started.await?))
            }
        }
    }

    /// Runs an invocation. The time that the process takes to load does not count against the
    /// timeout.
    pub(super) async fn invoke(
        &mut self,
        event: bytes::Bytes,
        context: &ContextMembers,
        timeout: Duration,
    ) -> Result<Seen> {
        let invocation = Invocation {
            request_id: context.aws_request_id.clone(),
            arn: context.invoked_function_arn.clone(),
            timeout,
        };
        let is_new = self.process.is_none();
        self.start(context).await?;
        if let Some(recorder) = &self.requests {
            if is_new {
                // Requests that the original sends while it is loaded belong to no event, even if
                // it does not wait for their responses.
                tokio::time::sleep(LOADED).await;
            }
            recorder.begin(&[]).await?;
        }
        let seen = self.start(context).await?.invoke(event, &invocation).await;
        if seen.ended.is_some() {
            self.process = None;
        }
        Ok(seen)
    }
}

fn environment(context: &ContextMembers) -> Environment {
    Environment(vec![
        ("AWS_LAMBDA_FUNCTION_NAME", context.function_name.clone()),
        (
            "AWS_LAMBDA_FUNCTION_VERSION",
            context.function_version.clone(),
        ),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            context.memory_limit_in_mb.clone(),
        ),
        ("AWS_LAMBDA_LOG_GROUP_NAME", context.log_group_name.clone()),
        (
            "AWS_LAMBDA_LOG_STREAM_NAME",
            context.log_stream_name.clone(),
        ),
    ])
}
