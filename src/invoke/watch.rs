//! What answers for a handler that blocks its thread, and so cannot be timed out from within.

use super::invocation::{GAP, timed_out};
use crate::{context::ContextBuilder, error::Error, panic};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;
use tracing::Instrument;

/// Watches one invocation until it has its answer. Made before the handler is entered.
pub(crate) struct Watch {
    key: Option<Key>,
    answered: AtomicBool,
}

/// When it is over, and which one it is of those that are over then.
type Key = (Instant, u64);

type Late = Box<dyn FnOnce() + Send>;

/// One thread for all: a task of the runtime could be queued behind the very handler.
struct Watcher {
    watched: Mutex<Watched>,
    earlier: Condvar,
}

#[derive(Default)]
struct Watched {
    late: BTreeMap<Key, Late>,
    count: u64,
    /// Until when the thread sleeps, at most.
    sleeps_until: Option<Instant>,
}

static WATCHER: LazyLock<&'static Watcher> = LazyLock::new(|| {
    let watcher: &'static Watcher = Box::leak(Box::new(Watcher {
        watched: Mutex::default(),
        earlier: Condvar::new(),
    }));
    let thread = thread::Builder::new().name("nodeback-watch".into());
    if let Err(error) = thread.spawn(|| watcher.run()) {
        tracing::error!("no handler that blocks its thread can be timed out: {error}");
    }
    watcher
});

impl Watch {
    /// Runs `blocked` with the timeout, elsewhere, if the invocation has no answer shortly after
    /// its deadline: by then it would have ended itself if its thread could.
    pub(crate) fn start<F>(
        context: &ContextBuilder,
        blocked: impl FnOnce(Error) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let watch = |key| Watch {
            key,
            answered: AtomicBool::new(false),
        };
        let Some((allowed, runtime)) = context.allowed().zip(Handle::try_current().ok()) else {
            return watch(None);
        };
        let Some(end) = Instant::now().checked_add(allowed.saturating_add(GAP)) else {
            return watch(None);
        };
        let context = context.clone();
        let late = move || late(&context, allowed, &runtime, blocked);
        watch(Some(WATCHER.watch(end, Box::new(late))))
    }

    /// The invocation has its answer. Whether that counts: one does, that comes in time.
    pub(crate) fn answered(&self) -> bool {
        if self.answered.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.key
            .is_none_or(|key| WATCHER.watched.lock().late.remove(&key).is_some())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.answered();
    }
}

fn late<F>(
    context: &ContextBuilder,
    allowed: Duration,
    runtime: &Handle,
    blocked: impl FnOnce(Error) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let error = timed_out(context.request_id(), allowed);
    let span = context.span();
    span.in_scope(|| {
        tracing::warn!("cut off at the deadline: the handler, which blocks its thread");
    });
    runtime.spawn(blocked(error).instrument(span));
}

impl Watcher {
    fn watch(&self, end: Instant, late: Late) -> Key {
        let mut watched = self.watched.lock();
        watched.count += 1;
        let key = (end, watched.count);
        watched.late.insert(key, late);
        // Most end later than the thread wakes anyhow.
        if watched.sleeps_until.is_none_or(|until| end < until) {
            self.earlier.notify_one();
        }
        key
    }

    fn run(&self) -> ! {
        let mut watched = self.watched.lock();
        loop {
            let first = watched.late.first_key_value().map(|((end, _), _)| *end);
            watched.sleeps_until = first;
            match first {
                None => self.earlier.wait(&mut watched),
                Some(end) if end > Instant::now() => {
                    self.earlier.wait_until(&mut watched, end);
                }
                Some(_) => {
                    if let Some((_, late)) = watched.late.pop_first() {
                        MutexGuard::unlocked(&mut watched, || {
                            // A subscriber that panics takes nobody else's watch away.
                            let _ = panic::caught(panic::NOBODY, late);
                        });
                    }
                }
            }
        }
    }
}
