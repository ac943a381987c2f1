//! The time of day, as what prints it can bear.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// The current time, but not before 1970 nor after the year 9999: humantime panics for others, and a clock that is
/// wrong is no reason for a log line to fail an invocation.
pub(crate) fn now() -> SystemTime {
    clamp(SystemTime::now())
}

fn clamp(time: SystemTime) -> SystemTime {
    time.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_prints() {
        let print = |time| humantime::format_rfc3339_seconds(clamp(time)).to_string();
        let year = Duration::from_secs(366 * 86_400);
        assert_eq!(print(UNIX_EPOCH - year), "1970-01-01T00:00:00Z");
        assert_eq!(print(UNIX_EPOCH + LAST + year), "9999-12-31T23:59:59Z");
    }
}
