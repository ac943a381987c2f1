//! The time of day, within the years that can be printed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// Returns the current time, clamped to the years 1970 to 9999: humantime panics outside of them,
/// and a wrong clock must not fail an invocation.
pub(crate) fn now() -> SystemTime {
    clamp(SystemTime::now())
}

/// Returns the time since 1970.
pub(crate) fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn clamp(time: SystemTime) -> SystemTime {
    time.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST)
}

#[cfg(test)]
#[cfg(any(feature = "lambda", feature = "local"))]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_of_range_can_be_printed() {
        let print = |time| humantime::format_rfc3339_seconds(clamp(time)).to_string();
        let year = Duration::from_secs(366 * 86_400);
        assert_eq!(print(UNIX_EPOCH - year), "1970-01-01T00:00:00Z");
        assert_eq!(print(UNIX_EPOCH + LAST + year), "9999-12-31T23:59:59Z");
    }
}
