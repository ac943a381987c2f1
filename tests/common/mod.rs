//! Records what is logged on the threads that a [`Log`] is installed on.

#![allow(dead_code, reason = "each test file uses a part of it")]

use parking_lot::Mutex;
use std::{cell::RefCell, collections::HashMap, fmt::Debug, sync::Arc};
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    dispatcher::{self, DefaultGuard},
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Everything that is logged on this thread until this value is dropped.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<Line>>>,
    dispatch: Dispatch,
    _here: DefaultGuard,
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) message: String,
    /// The fields of the event and of the spans around it.
    pub(crate) fields: HashMap<&'static str, String>,
}

impl Log {
    pub(crate) fn start() -> Self {
        let recorder = Recorder::default();
        let lines = Arc::clone(&recorder.lines);
        let dispatch = Dispatch::new(recorder);
        let _here = dispatcher::set_default(&dispatch);
        Log {
            lines,
            dispatch,
            _here,
        }
    }

    /// Wraps `f` so that this log records it on whichever thread it runs.
    pub(crate) fn recording<T>(&self, f: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let dispatch = self.dispatch.clone();
        move || dispatcher::with_default(&dispatch, f)
    }

    pub(crate) fn lines(&self, level: Level) -> Vec<Line> {
        let lines = self.lines.lock();
        lines
            .iter()
            .filter(|line| line.level == level)
            .cloned()
            .collect()
    }

    pub(crate) fn warnings(&self) -> Vec<Line> {
        self.lines(Level::WARN)
    }

    pub(crate) fn errors(&self) -> Vec<Line> {
        self.lines(Level::ERROR)
    }
}

#[derive(Default)]
struct Recorder {
    lines: Arc<Mutex<Vec<Line>>>,
    spans: Mutex<Vec<HashMap<&'static str, String>>>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut spans = self.spans.lock();
        spans.push(fields.0);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        ENTERED.with_borrow(|entered| {
            let spans = self.spans.lock();
            for id in entered {
                let span = spans.get(id.into_u64() as usize - 1);
                fields.0.extend(span.cloned().unwrap_or_default());
            }
        });
        event.record(&mut fields);
        self.lines.lock().push(Line {
            level: *event.metadata().level(),
            message: fields.0.remove("message").unwrap_or_default(),
            fields: fields.0,
        });
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.clone()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            let last = entered.iter().rposition(|id| id == span);
            last.map(|at| entered.remove(at));
        });
    }
}

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
