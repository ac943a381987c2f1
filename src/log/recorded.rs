//! Adds log lines to the timeline of their invocation.

use super::{Lines, SETTINGS, STOOD_IN, SpanFields};
use std::sync::{Arc, LazyLock, atomic::Ordering};
use tracing::{Dispatch, Span, dispatcher, subscriber::NoSubscriber};
use tracing_subscriber::{
    Registry,
    layer::SubscriberExt,
    registry::{LookupSpan, SpanData},
};

/// Receives each log line of one invocation.
pub(crate) trait LineRecorder: Send + Sync {
    fn logged(&self, level: &'static str, message: &str);
}

/// Adds a recorder to a span, which then receives each line that is logged in it. This has no
/// effect if the program uses a subscriber of its own.
pub(crate) fn record_lines(span: &Span, recorder: Arc<dyn LineRecorder>) {
    span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>();
        let Some(span) = registry.and_then(|registry| registry.span_data(id)) else {
            return;
        };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
            fields.recorder = Some(recorder);
        }
    });
}

/// Whether no subscriber receives the lines that are logged now.
pub(crate) fn has_no_subscriber() -> bool {
    dispatcher::get_default(Dispatch::is::<NoSubscriber>)
}

/// Runs code whose log lines are recorded, but not written.
pub(crate) fn capture<T>(f: impl FnOnce() -> T) -> T {
    static SILENT: LazyLock<Dispatch> = LazyLock::new(|| {
        let lines = Lines {
            settings: &SETTINGS,
            writes: false,
        };
        Dispatch::new(tracing_subscriber::registry().with(lines))
    });
    // ORDERING: Relaxed, as in `during`.
    STOOD_IN.store(true, Ordering::Relaxed);
    dispatcher::with_default(&SILENT, f)
}
