//! The end of the log of one request, which the Invoke API returns.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// How much of the log the Invoke API returns, in bytes.
const TAIL: usize = 4 * 1024;

/// Collects the log of one request until it is dropped.
#[cfg(feature = "local")]
pub(crate) struct Tail(String);

static TAILS: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

#[cfg(feature = "local")]
impl Tail {
    pub(crate) fn of(request_id: &str) -> Self {
        TAILS.lock().insert(request_id.into(), Vec::new());
        Tail(request_id.into())
    }

    /// Returns the last 4 KB of the log, from the first whole character on.
    pub(crate) fn text(&self) -> Vec<u8> {
        let tails = TAILS.lock();
        let tail = tails.get(&self.0).map(Vec::as_slice).unwrap_or_default();
        let tail = tail.iter().skip(tail.len().saturating_sub(TAIL));
        tail.skip_while(|byte| is_continuation(**byte))
            .copied()
            .collect()
    }
}

#[cfg(feature = "local")]
impl Drop for Tail {
    fn drop(&mut self) {
        TAILS.lock().remove(&self.0);
    }
}

/// Returns whether a byte of UTF-8 continues a character.
#[cfg(feature = "local")]
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

pub(super) fn add(request_id: &str, line: &str) {
    if let Some(tail) = TAILS.lock().get_mut(request_id) {
        tail.extend_from_slice(line.as_bytes());
        tail.push(b'\n');
        // Only now and then, so that adding a line does not move the others each time.
        if tail.len() > 4 * TAIL {
            tail.drain(..tail.len() - TAIL);
        }
    }
}

#[cfg(all(test, feature = "local"))]
mod tests {
    use super::*;

    #[test]
    fn a_tail_begins_with_a_whole_character() {
        for character in ["a", "ż", "€", "😀"] {
            // Each position within a character to cut at, before and after the log was shortened.
            for ahead in 0..4 {
                for characters in [TAIL, 5 * TAIL] {
                    let id = format!("{character} {ahead} {characters}");
                    let tail = Tail::of(&id);
                    let line = "x".repeat(ahead) + &character.repeat(characters);
                    add(&id, &line);
                    let text = String::from_utf8(tail.text()).unwrap();
                    assert!(text.len() <= TAIL && text.len() > TAIL - 4, "{id}");
                    assert!(line.ends_with(text.trim_end_matches('\n')), "{id}");
                }
            }
        }
    }
}
