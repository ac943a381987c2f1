//! A comparison with its settings.

use super::{ParityReport, RequestRecorder};
use crate::{
    error::Result,
    invocation::{Function, Handler},
    local::{FunctionConfiguration, LocalSettings},
};
use std::path::PathBuf;

/// How the original is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    /// In one Node process for all events, which is replaced only if it ends.
    Live,
    /// In a new Node process for each event.
    Fresh,
    /// Like `Live`, and records what the original did.
    Record,
    /// Not at all: a recording takes its place.
    Recorded,
}

/// A comparison with its settings. [`compare`](super::compare), [`record`](super::record) and
/// [`compare_recorded`](super::compare_recorded) are shorthands for it.
///
/// ```no_run
/// use nodeback::{Callback, Context, Value, parity::Comparison};
///
/// fn handler(event: Value, _: Context, callback: Callback) {
///     callback.succeed(event);
/// }
///
/// # async fn example() -> nodeback::Result<()> {
/// let report = Comparison::new("../legacy/index.handler", "events").fresh().run(handler).await?;
/// assert!(report.is_same(), "{report}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a comparison does nothing until it runs"]
pub struct Comparison {
    /// The file and the export of the original.
    pub(super) original: String,
    /// The root of the original's package, unless it is the nearest folder with a `package.json`.
    pub(super) root: Option<PathBuf>,
    /// Files and folders of events.
    pub(super) events: Vec<PathBuf>,
    pub(super) mode: Mode,
    pub(super) requests: Option<RequestRecorder>,
    /// Whether the lines of the log are compared.
    pub(super) logs: bool,
}

impl Comparison {
    /// Creates a comparison of a port with its original in Node, over a file or a folder of events:
    /// see [`compare`](super::compare).
    ///
    /// ```
    /// use nodeback::parity::Comparison;
    ///
    /// let comparison = Comparison::new("../legacy/index.handler", "events");
    /// ```
    pub fn new(original: impl Into<String>, events: impl Into<PathBuf>) -> Self {
        Comparison {
            original: original.into(),
            root: None,
            events: vec![events.into()],
            mode: Mode::Live,
            requests: None,
            logs: false,
        }
    }

    /// Sets the root of the original's package, as it is deployed. The default is the nearest
    /// folder with a `package.json`, or else the folder of the file.
    ///
    /// ```
    /// # use nodeback::parity::Comparison;
    /// let comparison = Comparison::new("../legacy/dist/src/index.handler", "events").root("../legacy/dist");
    /// ```
    pub fn root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.root = Some(folder.into());
        self
    }

    /// Runs each event in a new Node process.
    ///
    /// ```
    /// # use nodeback::parity::Comparison;
    /// let comparison = Comparison::new("../legacy/index.handler", "events").fresh();
    /// ```
    pub fn fresh(mut self) -> Self {
        self.mode = Mode::Fresh;
        self
    }

    /// Records what the original does, like [`record`](super::record).
    ///
    /// ```
    /// # use nodeback::parity::Comparison;
    /// let comparison = Comparison::new("../legacy/index.handler", "events").record();
    /// ```
    pub fn record(mut self) -> Self {
        self.mode = Mode::Record;
        self
    }

    /// Compares with a recording of the original, like
    /// [`compare_recorded`](super::compare_recorded).
    ///
    /// ```
    /// # use nodeback::parity::Comparison;
    /// let comparison = Comparison::new("../legacy/index.handler", "events").recorded();
    /// ```
    pub fn recorded(mut self) -> Self {
        self.mode = Mode::Recorded;
        self
    }

    /// Also compares the requests that both sides send to AWS: see [the
    /// page](super#what-it-sends-to-aws). Only one comparison at a time can use a recorder.
    ///
    /// ```
    /// use nodeback::parity::{Comparison, RequestRecorder};
    ///
    /// # fn main() -> nodeback::Result<()> {
    /// let recorder = RequestRecorder::start("http://127.0.0.1:5000")?;
    /// let comparison = Comparison::new("../legacy/index.handler", "events").requests(&recorder);
    /// # Ok(())
    /// # }
    /// ```
    pub fn requests(mut self, recorder: &RequestRecorder) -> Self {
        self.requests = Some(recorder.clone());
        self
    }

    /// Also compares the lines of the log: see [the page](super#the-log).
    ///
    /// ```
    /// # use nodeback::parity::Comparison;
    /// let comparison = Comparison::new("../legacy/index.handler", "events").logs();
    /// ```
    pub fn logs(mut self) -> Self {
        self.logs = true;
        self
    }

    /// Runs the comparison.
    ///
    /// ```no_run
    /// # async fn example(handler: fn(nodeback::Value, nodeback::Context, nodeback::Callback)) -> nodeback::Result<()> {
    /// let comparison = nodeback::parity::Comparison::new("../legacy/index.handler", "events");
    /// let report = comparison.run(handler).await?;
    /// assert!(report.is_same(), "{report}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If [`compare`](super::compare), [`record`](super::record) or
    /// [`compare_recorded`](super::compare_recorded) would fail, or if the server that stands in
    /// for AWS cannot be reached.
    ///
    /// Cancel safety: the Node process is killed when the future is dropped, and nothing is
    /// recorded.
    pub async fn run<M>(self, handler: impl Handler<M>) -> Result<ParityReport> {
        let configuration = FunctionConfiguration::read(&LocalSettings::default())?;
        let context = || configuration.context_of("handler");
        self.run_each(&Function::new(handler), context, |_, _| ())
            .await
    }
}
