//! The description of an error.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// What an [`Error`] takes from the error that it is converted from.
pub(super) struct Described {
    pub(super) name: Cow<'static, str>,
    /// `None` is JavaScript's `null`.
    pub(super) message: Option<String>,
    pub(super) members: Option<Map<String, Value>>,
}
