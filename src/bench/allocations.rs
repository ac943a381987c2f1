//! Counting what an invocation allocates.

use super::figures::Allocations;
use std::future::Future;

/// Awaits a future, and counts what is allocated while it is polled, on the thread that polls it.
/// Without the feature `bench-allocations` nothing is counted.
#[cfg(feature = "bench-allocations")]
pub(super) async fn counted<F: Future>(future: F) -> (F::Output, Option<Allocations>) {
    use std::{future::poll_fn, pin::pin, task::Poll};

    let mut future = pin!(future);
    let (mut all, mut left) = (Allocations::default(), 0_i64);
    let output = poll_fn(|cx| {
        let mut polled = Poll::Pending;
        let poll = allocation_counter::measure(|| polled = future.as_mut().poll(cx));
        all.count += poll.count_total;
        all.bytes += poll.bytes_total;
        // The memory held since earlier polls counts, too.
        let peak = left.saturating_add_unsigned(poll.bytes_max);
        all.peak = all.peak.max(u64::try_from(peak).unwrap_or(0));
        left += poll.bytes_current;
        polled
    })
    .await;
    (output, Some(all))
}

#[cfg(not(feature = "bench-allocations"))]
pub(super) async fn counted<F: Future>(future: F) -> (F::Output, Option<Allocations>) {
    (future.await, None)
}

#[cfg(all(test, feature = "bench-allocations"))]
mod tests {
    use super::*;
    use std::{future::poll_fn, task::Poll};

    /// Waits for the next poll.
    async fn another_poll() {
        let mut is_next = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut is_next, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn what_is_allocated_over_several_polls_is_counted() {
        let (kept, counted) = futures::executor::block_on(counted(async {
            let kept = vec![0_u8; 1000];
            another_poll().await;
            drop(vec![0_u8; 500]);
            another_poll().await;
            drop(vec![0_u8; 100]);
            kept
        }));
        assert_eq!(kept.len(), 1000);
        let expected = Allocations {
            count: 3,
            bytes: 1600,
            peak: 1500,
        };
        assert_eq!(counted, Some(expected));
    }
}
