//! The watchdog: it responds for a handler that blocks its thread, which cannot be timed out from
//! within. Its thread has a tokio runtime of its own, since every thread of the user's may be blocked.

use super::{
    deadline::{GAP, timed_out},
    sink::Sink,
    state::{AnsweredBy, Invocation},
    timeline::RespondedBy,
};
use crate::guard::{Guarded, discard, guarded};
use futures::future::{BoxFuture, FutureExt, select};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, LazyLock},
    thread,
    time::Instant,
};
use tokio::{runtime, sync::Notify, time};
use tracing::Instrument;

/// What is sent for a blocked handler.
pub(crate) type Late = BoxFuture<'static, ()>;

/// When an invocation is over, and which one it is of those that are over then.
type WatchKey = (Instant, u64);

type Alarm = Box<dyn FnOnce() -> Option<Late> + Send>;

#[derive(Default)]
struct Watchdog {
    watched: Mutex<Watched>,
    /// An alarm is due before those that the thread waits for.
    earlier: Notify,
}

#[derive(Default)]
struct Watched {
    alarms: BTreeMap<WatchKey, Alarm>,
    count: u64,
    /// Until when the thread sleeps, at most.
    sleeps_until: Option<Instant>,
}

static WATCHDOG: LazyLock<&'static Watchdog> = LazyLock::new(|| {
    let watchdog: &'static Watchdog = Box::leak(Box::default());
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let started = runtime.and_then(|runtime| {
        let thread = thread::Builder::new().name("nodeback-watchdog".into());
        thread.spawn(move || runtime.block_on(watchdog.run()))
    });
    if let Err(error) = started {
        tracing::error!("no handler that blocks its thread can be timed out: {error}");
    }
    watchdog
});

/// Ends the watch when it is dropped.
pub(super) struct Watch(Option<WatchKey>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(key) = self.0 {
            let alarm = WATCHDOG.watched.lock().alarms.remove(&key);
            drop(alarm);
        }
    }
}

/// Has the sink send an error, if the invocation has no answer shortly after its deadline: by then it
/// would have ended itself if its thread could.
pub(super) fn watch<S: Sink>(invocation: &Arc<Invocation>, sink: &S) -> Watch {
    let Some(allowed) = invocation.time.allowed().filter(|_| S::WATCHED) else {
        return Watch(None);
    };
    let Some(end) = Instant::now().checked_add(allowed.saturating_add(GAP)) else {
        return Watch(None);
    };
    let (invocation, sink) = (Arc::clone(invocation), sink.clone());
    let alarm = move || {
        invocation.claim_answer(AnsweredBy::Watchdog)?;
        let error = timed_out(invocation.request_id(), allowed);
        invocation.record(|recorder| recorder.responded(RespondedBy::Watchdog, Err(&error)));
        let span = invocation.span.clone();
        // From here on nobody else answers, whatever a subscriber does.
        let _ = guarded(|| {
            span.in_scope(|| {
                tracing::warn!("aborted at the deadline: the handler, which blocks its thread");
            });
        });
        let Some(stream) = invocation.stream.get().filter(|stream| stream.has_reader()) else {
            return Some(sink.send_for_blocked(error).instrument(span).boxed());
        };
        let stream = Arc::clone(stream);
        // Nobody reads it if the client is gone.
        drop(stream.finish(Err(timed_out(invocation.request_id(), allowed))));
        let late = async move { sink.ended_for_blocked(error, stream.closed()).await };
        Some(late.instrument(span).boxed())
    };
    Watch(Some(WATCHDOG.watch(end, Box::new(alarm))))
}

impl Watchdog {
    fn watch(&self, end: Instant, alarm: Alarm) -> WatchKey {
        let mut watched = self.watched.lock();
        watched.count += 1;
        let key = (end, watched.count);
        watched.alarms.insert(key, alarm);
        // Most end later than the thread wakes anyhow.
        let earlier = watched.sleeps_until.is_none_or(|until| end < until);
        drop(watched);
        if earlier {
            self.earlier.notify_one();
        }
        key
    }

    async fn run(&self) -> ! {
        loop {
            let first = {
                let mut watched = self.watched.lock();
                let first = watched.alarms.first_key_value().map(|((end, _), _)| *end);
                watched.sleeps_until = first;
                first
            };
            let earlier = pin!(self.earlier.notified());
            match first {
                None => earlier.await,
                Some(end) if end > Instant::now() => {
                    select(earlier, pin!(time::sleep_until(end.into()))).await;
                }
                Some(_) => self.raise_first(),
            }
        }
    }

    fn raise_first(&self) {
        let first = self.watched.lock().alarms.pop_first();
        let Some((_, alarm)) = first else { return };
        // A subscriber that panics takes nobody else's watch away.
        if let Ok(Some(late)) = guarded(alarm) {
            tokio::spawn(Guarded::new(late).map(discard));
        }
    }
}
