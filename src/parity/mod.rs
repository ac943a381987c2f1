mod accepted;
mod client;
mod command;
mod compare;
mod events;
mod original;
mod outcome;
mod port;
mod report;
mod runtime_api;

pub(crate) use command::Against;
pub use report::ParityReport;

use self::{
    accepted::Accepted,
    client::NodeClient,
    events::NamedEvent,
    original::{Environment, Invocation, Original, OriginalProcess},
    outcome::Seen,
    report::Compared,
};
use crate::{
    error::Result,
    invocation::{Context, ContextBuilder, Function, Handler},
    local::{FunctionConfiguration, LocalSettings},
};
use std::{path::PathBuf, time::Duration};

/// Compares a handler with its original in Node: sends each event to AWS's Node client, which runs the original, and to the
/// handler, and compares what both did.
///
/// `original` is the file and the export, such as `legacy/index.handler`; `events` is a file of an event (`.json`), a file of
/// a line for each (`.jsonl`), or a folder of them, which may also have a file `parity.json` with accepted differences. It
/// needs Node.js and, once, npm and the network: the client is installed into a cache folder.
///
/// Compared are the outcome, response or error; the JSON of a response to the byte; the `errorType` and the
/// `errorMessage` of an error; and whether a response waited for what was still running.
///
/// ```no_run
/// use nodeback::{Callback, Context, Value};
///
/// fn handler(event: Value, _: Context, callback: Callback) {
///     callback.succeed(event);
/// }
///
/// # async fn example() -> nodeback::Result<()> {
/// let report = nodeback::parity::compare(handler, "../legacy/index.handler", "events").await?;
/// assert!(report.is_same(), "{report}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// What keeps it from comparing: Node or npm is missing, the original does not start, an event cannot be read.
///
/// Cancel safety: the process of Node ends when the future is dropped.
pub async fn compare<M>(
    handler: impl Handler<M>,
    original: impl Into<String>,
    events: impl Into<PathBuf>,
) -> Result<ParityReport> {
    let comparison = Comparison {
        original: original.into(),
        events: vec![events.into()],
        fresh: false,
    };
    let configuration = FunctionConfiguration::read(&LocalSettings::default())?;
    let context = || configuration.context_of("handler");
    comparison
        .run(&Function::new(handler), context, |_| ())
        .await
}

/// What is compared with what.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The file and the export of the original.
    pub(crate) original: String,
    /// Files and folders of events.
    pub(crate) events: Vec<PathBuf>,
    /// Whether each event has a process of Node of its own.
    pub(crate) fresh: bool,
}

impl Comparison {
    /// Sends each event to the original and to the port, one after the other, and compares what they did. `context` makes the
    /// context of an invocation, and `each` is told of every event as soon as it is compared.
    pub(crate) async fn run(
        &self,
        function: &Function,
        context: impl Fn() -> ContextBuilder,
        mut each: impl FnMut(&Compared),
    ) -> Result<ParityReport> {
        let original = Original::parse(&self.original)?;
        let events = events::read(&self.events)?;
        let mut accepted = Accepted::read(&self.events)?;
        let client = NodeClient::find_or_install().await?;
        let mut side = OriginalSide {
            client,
            original,
            process: None,
        };
        let mut report = ParityReport::default();
        let width = events.iter().map(|event| event.name.chars().count()).max();
        let width = width.unwrap_or(0).min(80);
        for NamedEvent { name, body } in events {
            let context = context();
            let told = context.clone().build();
            let node = side.invoke(body.clone(), &told).await?;
            let port = port::invoke(function, body, context).await;
            if self.fresh {
                side.process = None;
            }
            let compared = Compared::new(name, width, &node, &port, &mut accepted);
            each(&compared);
            report.add(compared);
        }
        report.unneeded = accepted.unneeded();
        Ok(report)
    }
}

/// The original, with the process that runs it, if there is one.
struct OriginalSide {
    client: NodeClient,
    original: Original,
    process: Option<OriginalProcess>,
}

impl OriginalSide {
    /// Runs an invocation in the process that ran the one before, as on Lambda, unless that has ended.
    async fn invoke(&mut self, event: bytes::Bytes, context: &Context) -> Result<Seen> {
        let process = match &mut self.process {
            Some(process) => process,
            none => {
                let started =
                    OriginalProcess::start(&self.client, &self.original, &environment(context))
                        .await?;
                none.insert(started)
            }
        };
        let invocation = Invocation {
            request_id: context.aws_request_id.clone(),
            arn: context.invoked_function_arn.clone(),
            timeout: u64::try_from(context.get_remaining_time_in_millis())
                .map_or(UNLIMITED, |millis| {
                    Duration::from_millis(millis).min(UNLIMITED)
                }),
        };
        let seen = process.invoke(event, &invocation).await;
        if seen.ended.is_some() {
            self.process = None;
        }
        Ok(seen)
    }
}

/// The longest timeout of a function.
const UNLIMITED: Duration = Duration::from_secs(900);

fn environment(context: &Context) -> Environment {
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
