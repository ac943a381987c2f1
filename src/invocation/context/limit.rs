//! How long an invocation may take.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// How long an invocation may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::invocation) enum Limit {
    /// From the start of the invocation.
    Timeout(Duration),
    /// At a time, in milliseconds since 1970.
    At(u64),
    None,
}

/// A deadline further back than this was never meant as one. cargo-lambda, for one, sends ten
/// minutes after 1970.
const LONG_PAST: Duration = Duration::from_secs(60 * 60);

impl Limit {
    pub(in crate::invocation) fn deadline(self, now: Instant) -> Option<Instant> {
        match self {
            Limit::None => None,
            Limit::Timeout(timeout) => now.checked_add(timeout),
            Limit::At(millis) => {
                let since_1970 = since_1970();
                let at = Duration::from_millis(millis);
                match at.checked_sub(since_1970) {
                    Some(left) => now.checked_add(left),
                    None if since_1970.saturating_sub(at) > LONG_PAST => None,
                    None => now.checked_sub(since_1970.saturating_sub(at)).or(Some(now)),
                }
            }
        }
    }

    /// The deadline of what starts now, in milliseconds since 1970; 0 if there is none.
    #[cfg(feature = "lambda")]
    pub(in crate::invocation) fn deadline_ms(self) -> u64 {
        match self {
            Limit::None => 0,
            Limit::At(millis) => millis,
            Limit::Timeout(timeout) => {
                let deadline = since_1970().saturating_add(timeout).as_millis();
                u64::try_from(deadline).unwrap_or(u64::MAX)
            }
        }
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
