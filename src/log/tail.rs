//! The end of the log of one request: 4 KB for the Invoke API, and more for the page of the local server.

use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// How much of the log the Invoke API returns, in bytes.
const TAIL: usize = 4 * 1024;

/// Collects the log of one request until it is dropped.
pub(crate) struct Tail {
    request_id: String,
    kept: Arc<Kept>,
}

struct Kept {
    /// How many bytes are of interest.
    limit: usize,
    text: Mutex<Vec<u8>>,
}

/// A request may have several, of different sizes.
static TAILS: Mutex<BTreeMap<String, Vec<Arc<Kept>>>> = Mutex::new(BTreeMap::new());

impl Tail {
    pub(crate) fn of(request_id: &str) -> Self {
        Tail::with_limit(request_id, TAIL)
    }

    pub(crate) fn with_limit(request_id: &str, limit: usize) -> Self {
        let kept = Arc::new(Kept {
            limit,
            text: Mutex::default(),
        });
        let mut tails = TAILS.lock();
        let of_request = tails.entry(request_id.into()).or_default();
        of_request.push(Arc::clone(&kept));
        Tail {
            request_id: request_id.into(),
            kept,
        }
    }

    /// Returns the end of the log, from the first whole character on.
    pub(crate) fn text(&self) -> Vec<u8> {
        let text = self.kept.text.lock();
        let tail = text.iter().skip(text.len().saturating_sub(self.kept.limit));
        tail.skip_while(|byte| is_continuation(**byte))
            .copied()
            .collect()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let mut tails = TAILS.lock();
        if let Some(of_request) = tails.get_mut(&self.request_id) {
            of_request.retain(|kept| !Arc::ptr_eq(kept, &self.kept));
            if of_request.is_empty() {
                tails.remove(&self.request_id);
            }
        }
    }
}

/// Returns whether a byte of UTF-8 continues a character.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

pub(super) fn add(request_id: &str, line: &str) {
    let tails = TAILS.lock();
    for Kept { limit, text } in tails
        .get(request_id)
        .into_iter()
        .flatten()
        .map(|kept| &**kept)
    {
        let mut text = text.lock();
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        // Only now and then, so that adding a line does not move the others each time.
        if text.len() > 2 * limit {
            let excess = text.len() - limit;
            text.drain(..excess);
        }
    }
}

#[cfg(test)]
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
