//! Log lines in the format of Node's runtime.

mod json;
#[cfg(feature = "parity")]
pub(crate) mod lines;
#[cfg(feature = "local")]
pub(crate) mod platform;
mod recorded;
mod settings;
#[cfg(feature = "local")]
mod tail;
mod text;

#[cfg(feature = "local")]
pub(crate) use tail::Tail;

pub(crate) use recorded::{LineRecorder, capture, has_no_subscriber, record_lines};

use crate::clock;
#[cfg(feature = "parity")]
use parking_lot::RwLock;
use settings::{Format, LogSettings};
use std::{
    fmt,
    future::{Future, poll_fn},
    io::{self, Write},
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber, dispatcher,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id},
    subscriber::NoSubscriber,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// Installs a subscriber that writes events to stderr, unless the program has one of its own.
pub(crate) fn init() {
    if dispatcher::has_been_set() && !STOOD_IN.load(Ordering::Relaxed) {
        return;
    }
    // Fails if the program has set a subscriber of its own.
    if dispatcher::set_global_default(ours()).is_ok() {
        INSTALLED.store(true, Ordering::Release);
        for mistake in &SETTINGS.mistakes {
            tracing::warn!("{mistake}");
        }
    }
}

/// Writes the events of a future to stderr while there is no other subscriber. This installs no
/// global subscriber, so the program can still install one.
pub(crate) async fn during<F: Future>(future: F) -> F::Output {
    let (mut future, ours) = (pin!(future), ours());
    poll_fn(|cx| {
        if dispatcher::get_default(|current| !current.is::<NoSubscriber>()) {
            return future.as_mut().poll(cx);
        }
        // ORDERING: Relaxed, since the flag publishes no other memory.
        STOOD_IN.store(true, Ordering::Relaxed);
        dispatcher::with_default(&ours, || future.as_mut().poll(cx))
    })
    .await
}

/// Returns the subscriber of this crate.
fn ours() -> Dispatch {
    let lines = Lines {
        settings: &SETTINGS,
        writes: true,
    };
    Dispatch::new(tracing_subscriber::registry().with(lines))
}

/// Whether this crate writes the log lines, including those of the platform.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Whether `during` has set a subscriber for a scope, after which `tracing` reports that one has
/// been set.
static STOOD_IN: AtomicBool = AtomicBool::new(false);

static SETTINGS: LazyLock<LogSettings> = LazyLock::new(LogSettings::read);

/// Writes a line. On a terminal, writes the result of `painted` instead, which may be several
/// lines.
fn write(mut line: String, painted: impl FnOnce(&str) -> String) {
    if SETTINGS.terminal {
        line = painted(&line);
    }
    line.push('\n');
    // The line is written in one call, so that the lines of several processes do not mix. A failure
    // is ignored, since a log that cannot be written must not fail an invocation.
    let write = || {
        let _ = io::stderr().lock().write_all(line.as_bytes());
    };
    #[cfg(feature = "parity")]
    if let Some(around) = &*AROUND.read() {
        return around(&write);
    }
    write();
}

/// Wraps the write of a line.
#[cfg(feature = "parity")]
pub(crate) type Around = Box<dyn Fn(&dyn Fn()) + Send + Sync>;

#[cfg(feature = "parity")]
static AROUND: RwLock<Option<Around>> = RwLock::new(None);

/// Sets the function that runs each write from now on, such as one that clears a progress display
/// from the terminal before the write and draws it again afterwards.
#[cfg(feature = "parity")]
pub(crate) fn set_around(around: Option<Around>) {
    *AROUND.write() = around;
}

/// Returns JSON as it is written to stderr: indented if that is a terminal.
#[cfg(feature = "local")]
pub(crate) fn shown_json(json: String) -> String {
    match SETTINGS.terminal {
        true => text::indented(&json).unwrap_or(json),
        false => json,
    }
}

/// Whether lines on stderr are colored.
#[cfg(feature = "local")]
pub(crate) fn has_color() -> bool {
    SETTINGS.color
}

/// The layer that writes events as lines, in the format of the settings.
struct Lines {
    settings: &'static LogSettings,
    /// Whether lines are written. If not, they are only recorded.
    writes: bool,
}

/// The fields of the span of an invocation.
#[derive(Clone, Default)]
struct SpanFields {
    request_id: Arc<str>,
    tenant_id: Option<Arc<str>>,
    /// Records the lines in the timeline of the invocation.
    recorder: Option<Arc<dyn LineRecorder>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Spans have the level INFO. They are enabled at each level, since they provide the request
        // id of the lines.
        (metadata.is_span() && *metadata.level() <= LevelFilter::INFO)
            || self
                .settings
                .levels
                .would_enable(metadata.target(), metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let levels = self.settings.levels.iter().map(|(_, level)| level);
        let levels = levels.chain(self.settings.levels.default_level());
        levels.chain([LevelFilter::INFO]).max()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut found = Found::default();
        attributes.record(&mut found);
        if let (Some(request_id), Some(span)) = (found.request_id, cx.span(id)) {
            span.extensions_mut().insert(SpanFields {
                request_id,
                tenant_id: found.tenant_id,
                recorder: None,
            });
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let invocation = cx.event_scope(event).and_then(|mut spans| {
            spans.find_map(|span| span.extensions().get::<SpanFields>().cloned())
        });
        let invocation = invocation.unwrap_or_default();
        let level = level_name(*event.metadata().level());
        if let Some(recorder) = &invocation.recorder {
            // Lines of this crate are left out, since the timeline has its own entries for what
            // they describe.
            if !is_ours(event.metadata().target()) {
                recorder.logged(level, &text::message(event));
            }
        }
        if !self.writes {
            return;
        }
        let line = match self.settings.format {
            Format::Text => text::line(&now(), &invocation, level, event),
            Format::Json => json::line(&now(), &invocation, level, event),
        };
        #[cfg(feature = "parity")]
        lines::add(&invocation.request_id, event.metadata().target(), &line);
        #[cfg(feature = "local")]
        tail::add(&invocation.request_id, &line);
        write(line, |line| text::painted(line, level, self.settings.color));
    }
}

/// Whether the target is a module of this crate.
fn is_ours(target: &str) -> bool {
    let rest = target.strip_prefix(env!("CARGO_PKG_NAME"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns the current time in the format of JavaScript's `toISOString`.
fn now() -> String {
    humantime::format_rfc3339_millis(clock::now()).to_string()
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

/// Returns the target of a line if its level is DEBUG or TRACE, where lines of other crates are
/// common.
fn target<'a>(metadata: &'a Metadata<'_>) -> Option<&'a str> {
    (*metadata.level() >= Level::DEBUG).then(|| metadata.target())
}

#[derive(Default)]
struct Found {
    request_id: Option<Arc<str>>,
    tenant_id: Option<Arc<str>>,
}

impl Visit for Found {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "requestId" => self.request_id = Some(value.into()),
            "tenantId" => self.tenant_id = Some(value.into()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "requestId" | "tenantId") {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}
