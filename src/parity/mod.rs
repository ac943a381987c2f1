mod accepted;
mod captured;
mod client;
mod command;
mod compare;
mod compare_stream;
mod comparison;
mod diff;
mod events;
mod excerpt;
mod group;
mod html;
mod lines;
mod log;
mod open_stream;
mod original;
mod original_side;
mod outcome;
mod package;
mod place;
mod port;
mod pretty;
mod printed;
mod recorded_stream;
mod recording;
mod report;
mod requests;
mod runtime_api;
mod stream;
mod terminal;
#[cfg(feature = "bench")]
mod timed;
mod times;
mod window;

#[doc(hidden)]
pub use crate::invocation::{Picked, Picker};
pub(crate) use command::Against;
#[cfg(feature = "bench")]
pub(crate) use command::unwritable;
pub use comparison::Comparison;
pub use report::ParityReport;
pub use requests::RequestRecorder;
#[cfg(feature = "bench")]
pub(crate) use timed::TimedOriginal;

use self::{
    accepted::Accepted, comparison::Mode, original_side::OriginalSide, package::Original,
    place::Place, recording::Recording, report::Compared,
};
use crate::{
    error::Result,
    invocation::{Context, ContextBuilder, Function, Handler},
};
use std::{path::PathBuf, time::Duration};

/// Compares a handler with its original in Node. Sends each event both to AWS's Node client, which
/// runs the original, and to the handler, and compares what they do.
///
/// `original` names a file and its export, such as `legacy/index.handler`. `events` is a file with
/// one event (`.json`), a file with one event per line (`.jsonl`), or a folder of such files, which
/// may also contain `parity.json`, a file of accepted differences. Node.js is required. The first
/// comparison also needs npm and the network, to install the client into a cache folder.
///
/// The comparison covers the outcome (response or error), every byte of a response's JSON, the
/// `errorType` and the `errorMessage` of an error, whether a response waited for unfinished tasks,
/// and the content of a stream.
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
/// If the comparison cannot run: Node or npm is missing, the original does not start, or an event
/// cannot be read.
///
/// Cancel safety: the Node process is killed when the future is dropped.
pub async fn compare<M>(
    handler: impl Handler<M>,
    original: impl Into<String>,
    events: impl Into<PathBuf>,
) -> Result<ParityReport> {
    Comparison::new(original, events).run(handler).await
}

/// Compares like [`compare`], and records what the original did for [`compare_recorded`]. The
/// recording of a folder of events is the file `parity.recorded.json` in it. The recording of
/// `orders.jsonl` is `orders.recorded.json` in the same folder.
///
/// ```no_run
/// # use nodeback::{Callback, Context, Value};
/// # fn handler(event: Value, _: Context, callback: Callback) {}
/// #[tokio::test]
/// #[ignore = "needs node: run it when the original or the events have changed"]
/// async fn record() {
///     nodeback::parity::record(handler, "../legacy/index.handler", "events").await.unwrap();
/// }
/// ```
///
/// # Errors
///
/// If [`compare`] would fail, or if the file cannot be written.
///
/// Cancel safety: the Node process is killed when the future is dropped, and nothing is recorded.
pub async fn record<M>(
    handler: impl Handler<M>,
    original: impl Into<String>,
    events: impl Into<PathBuf>,
) -> Result<ParityReport> {
    Comparison::new(original, events)
        .record()
        .run(handler)
        .await
}

/// Compares a handler with the [recording](record) of its original. Works like [`compare`], without
/// Node.
///
/// If the files of the original exist and have changed since they were recorded, the report says
/// so, and [`is_same`](ParityReport::is_same) returns false.
///
/// ```no_run
/// # use nodeback::{Callback, Context, Value};
/// # fn handler(event: Value, _: Context, callback: Callback) {}
/// # async fn example() -> nodeback::Result<()> {
/// let report = nodeback::parity::compare_recorded(handler, "../legacy/index.handler", "events").await?;
/// assert!(report.is_same(), "{report}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If an event cannot be read, or is not in the recording.
///
/// Cancel safety: nothing is lost if the future is dropped.
pub async fn compare_recorded<M>(
    handler: impl Handler<M>,
    original: impl Into<String>,
    events: impl Into<PathBuf>,
) -> Result<ParityReport> {
    Comparison::new(original, events)
        .recorded()
        .run(handler)
        .await
}

impl Comparison {
    /// Sends each event to the original, then to the port, and compares what they did. `context`
    /// creates the context of an invocation. `each` is called after each comparison, with its
    /// result and the total number of events.
    pub(crate) async fn run_each(
        &self,
        function: &Function,
        context: impl Fn() -> ContextBuilder,
        mut each: impl FnMut(&Compared, usize),
    ) -> Result<ParityReport> {
        let events = events::read(&self.events)?;
        let mut accepted = Accepted::read(&self.events)?;
        let mut original = OriginalSide::of(self).await?;
        let requests = self.requests.as_ref();
        if let (Some(recorder), Some(_)) = (requests, &original) {
            recorder.reach().await?;
        }
        // Captured events need no recording, unless requests are compared.
        let needs_recording = match self.mode {
            Mode::Live | Mode::Fresh => false,
            Mode::Record => true,
            Mode::Recorded => {
                requests.is_some() || events.iter().any(|event| event.captured.is_none())
            }
        };
        let place = if needs_recording {
            Place::of(&self.events)?
        } else {
            Place::default()
        };
        let root = Original::root_of(&self.original, self.root.as_deref());
        let mut recording = match self.mode {
            Mode::Record => Recording::of(&root),
            Mode::Recorded if needs_recording => Recording::read(&place.file)?,
            Mode::Live | Mode::Fresh | Mode::Recorded => Recording::default(),
        };
        let mut report = ParityReport::of(&self.original);
        let count = events.len();
        let width = events.iter().map(|event| event.name.chars().count()).max();
        let width = width.unwrap_or(0).min(80);
        let timeout = timeout(&context().build());
        for event in events {
            let mut context = context();
            let node = match &mut original {
                Some(side) => {
                    let members = context.members();
                    let seen = side.invoke(event.body.clone(), members, timeout).await?;
                    match self.mode {
                        Mode::Fresh => side.process = None,
                        Mode::Record => recording.add(&place, &event, members, &seen),
                        Mode::Live | Mode::Recorded => {}
                    }
                    seen
                }
                None => {
                    if let Some(recorder) = requests {
                        recorder.begin(recording.requests(&place, &event)?).await?;
                    }
                    let seen;
                    (context, seen) = match &event.captured {
                        Some(captured) => captured.seen(context),
                        None => recording.find(&place, &event, context)?,
                    };
                    seen
                }
            };
            if self.logs && node.log.is_none() && event.captured.is_none() {
                return Err(recording::without_log(&place.file));
            }
            let (name, body) = (&event.name, event.body);
            let invoked = port::invoke(function, name, body, context, timeout, self.logs).await;
            let (port, timeline) = invoked;
            let sent = match requests {
                Some(recorder) => Some(recorder.end().await?),
                None => None,
            };
            let sent = sent.as_ref();
            let mut compared = Compared::new(event.name, width, &node, &port, sent, &mut accepted);
            compared.add_times(&node, &timeline);
            if let (Mode::Record, Some(sent)) = (self.mode, sent) {
                recording.add_requests(sent);
            }
            each(&compared, count);
            report.add(compared);
        }
        if self.mode == Mode::Record {
            recording.write(&place.file)?;
        }
        report.is_outdated =
            self.mode == Mode::Recorded && needs_recording && recording.is_older_than(&root);
        report.unneeded = accepted.unneeded();
        Ok(report)
    }
}

/// The longest timeout of a Lambda function. Any longer timeout counts as this one.
const UNLIMITED: Duration = Duration::from_secs(900);

/// Returns the timeout of a context that was just created.
fn timeout(context: &Context) -> Duration {
    let millis = u64::try_from(context.get_remaining_time_in_millis()).unwrap_or(0);
    // A millisecond may have passed since the context was created.
    Duration::from_millis(millis.saturating_add(1)).min(UNLIMITED)
}

/// Returns the events of files and folders, each with its name.
#[cfg(feature = "bench")]
pub(crate) fn events_of(paths: &[std::path::PathBuf]) -> Result<Vec<(String, bytes::Bytes)>> {
    let events = events::read(paths)?.into_iter();
    Ok(events.map(|event| (event.name, event.body)).collect())
}
