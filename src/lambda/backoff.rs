//! The pauses between attempts.

use std::time::Duration;
use tokio::time::Instant;
use tower::{
    retry::backoff::{Backoff as _, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff},
    util::rng::HasherRng,
};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// A series of failed attempts, with longer and longer pauses between them.
pub(super) struct Backoff {
    pauses: ExponentialBackoff<HasherRng>,
    since: Instant,
    pub(super) attempts: u32,
}

impl Backoff {
    pub(super) fn new() -> Self {
        let pauses = ExponentialBackoffMaker::new(FIRST, LONGEST, 0.5, HasherRng::default());
        Backoff {
            pauses: pauses.unwrap_or_default().make_backoff(),
            since: Instant::now(),
            attempts: 0,
        }
    }

    /// Counts a failed attempt, and waits until it is time for the next one. Returns false if that
    /// would be more than `limit` after the start of the series.
    pub(super) async fn pause(&mut self, limit: Duration) -> bool {
        self.attempts += 1;
        let left = limit.saturating_sub(self.since.elapsed());
        let pause = self.pauses.next_backoff();
        tokio::time::timeout(left, pause).await.is_ok()
    }
}
