//! The end of the log of one request, which the Invoke API gives back.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// As much of the log as the Invoke API gives back.
const TAIL: usize = 4 * 1024;

/// What is written of one request, while this lives.
#[cfg(feature = "local")]
pub(crate) struct Tail(String);

static TAILS: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

#[cfg(feature = "local")]
impl Tail {
    pub(crate) fn of(request_id: &str) -> Self {
        TAILS.lock().insert(request_id.into(), Vec::new());
        Tail(request_id.into())
    }

    /// The last 4 KB of it.
    pub(crate) fn text(&self) -> Vec<u8> {
        let tails = TAILS.lock();
        let tail = tails.get(&self.0).map(Vec::as_slice).unwrap_or_default();
        tail.get(tail.len().saturating_sub(TAIL)..)
            .unwrap_or(tail)
            .to_vec()
    }
}

#[cfg(feature = "local")]
impl Drop for Tail {
    fn drop(&mut self) {
        TAILS.lock().remove(&self.0);
    }
}

pub(super) fn add(request_id: &str, line: &str) {
    if let Some(tail) = TAILS.lock().get_mut(request_id) {
        tail.extend_from_slice(line.as_bytes());
        tail.push(b'\n');
        // Now and then, so that a line is not moved each time one is added.
        if tail.len() > 4 * TAIL {
            tail.drain(..tail.len() - TAIL);
        }
    }
}
