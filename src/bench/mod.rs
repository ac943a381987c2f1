mod allocations;
mod command;
mod figures;
mod html;
mod interrupt;
mod measure;
mod original;
mod parts;
mod report;
mod text;
mod times;

pub(crate) use command::BenchCommand;
pub use report::{BenchReport, BenchedEvent};

use crate::{
    error::Result,
    invocation::{ContextBuilder, Function, Handler, raw},
    local::{FunctionConfiguration, LocalSettings},
    parity,
};
use bytes::Bytes;
use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

/// Reads the events of a file or of the files in a folder, each with its name: a `.json` file is
/// one event, and a `.jsonl` or `.ndjson` file has one in each line.
///
/// ```
/// # fn main() -> nodeback::Result<()> {
/// for (name, event) in nodeback::bench::events("examples/events/hello.json")? {
///     println!("{name} has {} bytes", event.len());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If a file cannot be read, or there are no events.
pub fn events(path: impl AsRef<Path>) -> Result<Vec<(String, Bytes)>> {
    parity::events_of(&[path.as_ref().to_owned()])
}

/// Runs single invocations of a handler, for [criterion](crate::bench#in-a-program) and other
/// libraries that measure. [`Bench`] measures the same.
#[derive(Clone)]
pub struct Invoker {
    function: Function,
    context: ContextBuilder,
}

impl Invoker {
    /// Creates an invoker of a handler, with the context of [`Context::default`](crate::Context).
    ///
    /// ```
    /// use nodeback::{Error, Value, bench::Invoker};
    ///
    /// let invoker = Invoker::new(async |event: Value| Ok::<_, Error>(event));
    /// ```
    pub fn new<M>(handler: impl Handler<M>) -> Self {
        Invoker {
            function: Function::new(handler),
            context: crate::Context::builder(),
        }
    }

    /// Runs an invocation, from the bytes of the event to the bytes of the response.
    ///
    /// ```
    /// use nodeback::{Error, Value, bench::Invoker};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> nodeback::Result<()> {
    /// let invoker = Invoker::new(async |event: Value| Ok::<_, Error>(event));
    /// assert_eq!(invoker.invoke(&r#"{ "n": 1 }"#.into()).await?, r#"{"n":1}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the invocation fails, with its error.
    pub async fn invoke(&self, event: &Bytes) -> Result<Bytes> {
        raw(&self.function, event.clone(), self.context.clone()).await
    }
}

impl std::fmt::Debug for Invoker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invoker").finish_non_exhaustive()
    }
}

/// A benchmark of a handler over events, with its settings.
///
/// ```no_run
/// use nodeback::{Callback, Context, Value, bench::Bench};
///
/// fn handler(event: Value, _: Context, callback: Callback) {
///     callback.succeed(event);
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> nodeback::Result<()> {
///     let report = Bench::new("events").invocations(20_000).run(handler).await?;
///     println!("{report}");
///     report.write_html("bench.html")
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a benchmark does nothing until it runs"]
pub struct Bench {
    events: Vec<PathBuf>,
    invocations: usize,
    /// The original on Node, if it is also measured.
    original: Option<String>,
    /// The root of the original's package, unless it is the nearest folder with a `package.json`.
    root: Option<PathBuf>,
}

impl Bench {
    /// Creates a benchmark over the events of a file or a folder: see [`events`]. Unless
    /// [`invocations`](Self::invocations) sets another number, there are 10,000 invocations with
    /// each event.
    ///
    /// ```
    /// let bench = nodeback::bench::Bench::new("events");
    /// ```
    pub fn new(events: impl Into<PathBuf>) -> Self {
        Bench {
            events: vec![events.into()],
            invocations: 10_000,
            original: None,
            root: None,
        }
    }

    /// Sets the number of invocations with each event.
    ///
    /// ```
    /// let bench = nodeback::bench::Bench::new("events").invocations(20_000);
    /// ```
    pub fn invocations(mut self, invocations: usize) -> Self {
        self.invocations = invocations;
        self
    }

    /// Also measures the original on Node: see [`compare`](crate::parity::compare).
    ///
    /// ```
    /// let bench = nodeback::bench::Bench::new("events").against("../legacy/index.handler");
    /// ```
    pub fn against(mut self, original: impl Into<String>) -> Self {
        self.original = Some(original.into());
        self
    }

    /// Runs the benchmark. What the handler logs through `tracing` goes to the subscriber of the
    /// program, if it has one.
    ///
    /// ```no_run
    /// # async fn example(handler: fn(nodeback::Value, nodeback::Context, nodeback::Callback)) -> nodeback::Result<()> {
    /// let report = nodeback::bench::Bench::new("events").run(handler).await?;
    /// println!("{report}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If an event cannot be read, if its first invocation does not respond before its deadline, or
    /// if the original does not start.
    pub async fn run<M>(self, handler: impl Handler<M>) -> Result<BenchReport> {
        let configuration = FunctionConfiguration::read(&LocalSettings::default())?;
        let invoker = Invoker {
            function: Function::new(handler),
            context: configuration.context_of("handler"),
        };
        let never = AtomicBool::new(false);
        self.run_each(&invoker, &never, |_| ()).await
    }
}
