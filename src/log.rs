//! The lines of an invocation, in the shape that Node's runtime writes them.

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    env, fmt,
    io::{self, Write},
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// Has events written to stderr, unless the program has a subscriber of its own.
pub(crate) fn init() {
    if tracing::dispatcher::has_been_set() {
        return;
    }
    let subscriber = tracing_subscriber::registry().with(Lines { level: level() });
    // Only another thread that was faster can have set one.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        INSTALLED.store(true, Ordering::Release);
    }
}

/// Whether what is logged is written by us.
static INSTALLED: AtomicBool = AtomicBool::new(false);

fn level() -> LevelFilter {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").or_else(|_| env::var("RUST_LOG"));
    match level.as_deref().map(str::trim) {
        Ok(level) if level.eq_ignore_ascii_case("fatal") => LevelFilter::ERROR,
        Ok(level) => LevelFilter::from_str(level).unwrap_or(LevelFilter::INFO),
        Err(_) => LevelFilter::INFO,
    }
}

/// Writes one line as it stands, unless the program has a subscriber of its own.
pub(crate) fn line(request_id: &str, line: &str) {
    // A message of several lines stays one event, as Node writes it.
    let line = line.replace('\n', "\r");
    Tail::add(request_id, &line);
    if INSTALLED.load(Ordering::Acquire) {
        // A log that nobody reads is no reason to fail.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// Writes an event: time, request id, level and message, with tabs between.
struct Lines {
    level: LevelFilter,
}

/// The request id that a span brought.
struct RequestId(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Spans are of level INFO, and name the request on a line of any level.
        Some(self.level.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(id), Some(span)) = (fields.request_id, cx.span(id)) {
            span.extensions_mut().insert(RequestId(id));
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let request_id = cx
            .event_scope(event)
            .and_then(|mut spans| {
                spans.find_map(|span| Some(span.extensions().get::<RequestId>()?.0.clone()))
            })
            .unwrap_or_default();
        let time = jiff::Timestamp::now();
        let level = level_name(*event.metadata().level());
        let Fields { message, rest, .. } = fields;
        line(
            &request_id,
            &format!("{time:.3}\t{request_id}\t{level}\t{message}{rest}"),
        );
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    request_id: Option<String>,
    rest: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "requestId" => self.request_id = Some(format!("{value:?}")),
            name => self.rest.push_str(&format!(" {name}={value:?}")),
        }
    }
}

/// As much of the log as the Invoke API gives back.
const TAIL: usize = 4 * 1024;

/// What is written of one request, while this lives.
pub(crate) struct Tail(String);

static TAILS: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

impl Tail {
    #[cfg(feature = "local")]
    pub(crate) fn of(request_id: &str) -> Self {
        TAILS.lock().insert(request_id.into(), Vec::new());
        Tail(request_id.into())
    }

    /// The last 4 KB of it.
    #[cfg(feature = "local")]
    pub(crate) fn text(&self) -> Vec<u8> {
        let tails = TAILS.lock();
        let tail = tails.get(&self.0).map(Vec::as_slice).unwrap_or_default();
        tail.get(tail.len().saturating_sub(TAIL)..)
            .unwrap_or(tail)
            .to_vec()
    }

    fn add(request_id: &str, line: &str) {
        if let Some(tail) = TAILS.lock().get_mut(request_id) {
            tail.extend_from_slice(line.as_bytes());
            tail.push(b'\n');
            // Now and then, so that a line is not moved each time one is added.
            if tail.len() > 4 * TAIL {
                tail.drain(..tail.len() - TAIL);
            }
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        TAILS.lock().remove(&self.0);
    }
}
