//! A time limit that is set for every answer, and hardly ever reached.

use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use tokio::time::{self, Instant, Sleep};

/// A timer that is kept from one use to the next: to put off one that tokio knows is a store, while
/// a new one that is the next to go off wakes the runtime's driver, by a system call.
#[derive(Debug, Default)]
pub(super) struct Timer(Mutex<Option<Pin<Box<Sleep>>>>);

impl Timer {
    /// The future's output, or `None` when it has taken so long.
    pub(super) async fn limit<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let until = Instant::now() + limit;
        let kept = self.0.lock().take();
        let mut timer = match kept {
            Some(mut kept) => {
                kept.as_mut().reset(until);
                kept
            }
            None => Box::pin(time::sleep_until(until)),
        };
        let mut future = pin!(future);
        let output = poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        })
        .await;
        *self.0.lock() = Some(timer);
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_has_each_limit_from_its_own_start() {
        let timer = Timer::default();
        for seconds in [5, 1, 60, 2] {
            let (limit, begin) = (Duration::from_secs(seconds), Instant::now());
            let output = timer.limit(limit, std::future::pending::<()>()).await;
            assert_eq!((output, begin.elapsed()), (None, limit));
            assert_eq!(timer.limit(limit, async { seconds }).await, Some(seconds));
            time::sleep(3 * limit).await;
        }
    }
}
