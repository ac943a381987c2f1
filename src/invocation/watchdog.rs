//! The watchdog, which responds for handlers that block their thread beyond the deadline. The
//! driver cannot, since it runs on the blocked thread. The watchdog is one thread for the whole
//! process, with a tokio runtime of its own, since all threads of the user's runtime may be
//! blocked.
//!
//! An alarm is set for each invocation that is watched, and removed when its driver is done. An
//! alarm that goes off claims the outcome. If the driver has claimed it, the alarm does nothing.

use super::{
    deadline::{GAP, timed_out},
    sink::Sink,
    state::{ClaimedBy, Invocation},
    timeline::RespondedBy,
};
use crate::guard::{Guarded, discard, guarded};
use futures::future::{BoxFuture, FutureExt, select};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, btree_map::OccupiedEntry},
    pin::pin,
    sync::{Arc, LazyLock},
    thread,
    time::Instant,
};
use tokio::{runtime, sync::Notify, time};
use tracing::Instrument;

/// Sends the error of a blocked handler.
pub(crate) type Late = BoxFuture<'static, ()>;

/// When an alarm is due, and a number that distinguishes alarms that are due at the same time.
type WatchKey = (Instant, u64);

/// Claims the outcome, and returns what sends it. Returns `None` if it was claimed already.
type Alarm = Box<dyn FnOnce() -> Option<Late> + Send>;

#[derive(Default)]
struct Watchdog {
    watched: Mutex<Watched>,
    /// Wakes the thread if a new alarm is due before the one that it waits for. A notification that
    /// comes before the thread waits is kept, so none is missed.
    earlier: Notify,
}

#[derive(Default)]
struct Watched {
    alarms: BTreeMap<WatchKey, Alarm>,
    count: u64,
    /// When the alarm is due that the thread waits for. `None` if it waits for the first alarm.
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

/// Removes an alarm when it is dropped.
pub(super) struct Watch(Option<WatchKey>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(key) = self.0 {
            // The alarm owns the sink. It is dropped after the lock is released.
            let alarm = WATCHDOG.watched.lock().alarms.remove(&key);
            drop(alarm);
        }
    }
}

/// Sets an alarm for an invocation, which sends an error through the sink if no outcome is claimed
/// [`GAP`] after the deadline. A driver whose thread is not blocked claims one by then.
pub(super) fn watch<S: Sink>(invocation: &Arc<Invocation>, sink: &S) -> Watch {
    let Some(allowed) = invocation.time.allowed().filter(|_| S::WATCHED) else {
        return Watch(None);
    };
    let Some(end) = Instant::now().checked_add(allowed.saturating_add(GAP)) else {
        return Watch(None);
    };
    let (invocation, sink) = (Arc::clone(invocation), sink.clone());
    let alarm = move || {
        invocation.claim_outcome(ClaimedBy::Watchdog)?;
        let error = timed_out(invocation.request_id(), allowed);
        invocation.record(|recorder| recorder.responded(RespondedBy::Watchdog, Err(&error)));
        let span = invocation.span.clone();
        // The outcome is claimed, so this has to send one even if the user's `tracing` subscriber
        // panics.
        let _ = guarded(|| {
            span.in_scope(|| {
                tracing::warn!("aborted at the deadline: the handler, which blocks its thread");
            });
        });
        let Some(stream) = invocation.stream.get().filter(|stream| stream.has_reader()) else {
            return Some(sink.send_for_blocked(error).instrument(span).boxed());
        };
        let stream = Arc::clone(stream);
        // `finish` gives the error back if the client is gone. Nothing is left to send then.
        let error_of_stream = timed_out(invocation.request_id(), allowed);
        drop(stream.finish(Err(error_of_stream), None));
        let late = async move { sink.ended_for_blocked(error, stream.closed()).await };
        Some(late.instrument(span).boxed())
    };
    Watch(Some(WATCHDOG.watch(end, Box::new(alarm))))
}

impl Watchdog {
    /// Sets an alarm.
    fn watch(&self, end: Instant, alarm: Alarm) -> WatchKey {
        let mut watched = self.watched.lock();
        watched.count += 1;
        let key = (end, watched.count);
        watched.alarms.insert(key, alarm);
        // Usually the thread already waits for an earlier alarm, and need not be woken.
        let earlier = watched.sleeps_until.is_none_or(|until| end < until);
        drop(watched);
        if earlier {
            self.earlier.notify_one();
        }
        key
    }

    /// Runs the thread of the watchdog.
    async fn run(&self) -> ! {
        loop {
            // The first alarm is looked up anew each time, since alarms may have been added or removed
            // during the wait.
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

    /// Raises the first alarm if it is due. The alarm that `run` has found due may have been removed
    /// since, and the one after it must not be raised early.
    fn raise_first(&self) {
        let mut watched = self.watched.lock();
        let first = watched.alarms.first_entry();
        let due = first.filter(|first| first.key().0 <= Instant::now());
        let alarm = due.map(OccupiedEntry::remove);
        drop(watched);
        let Some(alarm) = alarm else { return };
        // The thread must not end with a panic of one alarm, since it also serves the others.
        if let Ok(Some(late)) = guarded(alarm) {
            tokio::spawn(Guarded::new(late).map(discard));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_alarm_that_is_not_due_is_not_raised_for_one_that_was_removed() {
        let watchdog = Watchdog::default();
        let now = Instant::now();
        let due = watchdog.watch(now, Box::new(|| None));
        let later = watchdog.watch(now + Duration::from_secs(3600), Box::new(|| None));
        // The thread has found the first alarm due, and its invocation ends before it is raised.
        watchdog.watched.lock().alarms.remove(&due);
        watchdog.raise_first();
        assert!(watchdog.watched.lock().alarms.contains_key(&later));
    }
}
