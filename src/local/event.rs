//! The check that an event is JSON.

use serde::de::IgnoredAny;
use std::str;

/// Checks that an event is JSON.
///
/// # Errors
///
/// Returns the first mistake and its position.
pub(super) fn check(event: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(event).map_err(|error| error.to_string())?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    Ok(())
}
