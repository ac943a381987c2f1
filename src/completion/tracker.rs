//! What enforces exactly-once towards people: every signal after the first one is counted and told.

use super::place::Place;
use parking_lot::Mutex;
use std::fmt;

/// A signal that came after the first one, and so changed nothing.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json};
///
/// let twice = |_: Value, _: Context, callback: Callback| {
///     callback(None, Some(json!(1)));
///     callback(None, Some(json!(2)));
/// };
/// let outcome = nodeback::invoke(twice, json!({}), Context::default()).await;
/// assert_eq!(outcome.refused.len(), 1);
/// println!("{}", outcome.refused[0]); // signalled again at src/main.rs:6:5, after src/main.rs:5:5
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Where the first signal came from.
    pub first: Place,
    /// Where this one came from.
    pub again: Place,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signalled again at {}, after {}", self.again, self.first)
    }
}

/// The refused signals of one completion.
#[derive(Debug, Default)]
pub(crate) struct Tracker(Mutex<Option<Box<List>>>);

#[derive(Clone, Debug, Default)]
struct List {
    refused: Vec<Refused>,
    count: usize,
}

/// Refused signals beyond so many are counted, and neither kept nor logged: a handler that calls
/// its callback in a loop does not fill memory or the log.
const REFUSED_KEPT: usize = 16;

impl Tracker {
    /// Counts a refused signal, and reports it unless its caller is told.
    pub(crate) fn refuse(&self, first: Place, again: Place, caller_is_told: bool) {
        let earlier = {
            let mut list = self.0.lock();
            let list = list.get_or_insert_default();
            list.count += 1;
            if list.count <= REFUSED_KEPT {
                list.refused.push(Refused { first, again });
            }
            list.count - 1
        };
        if caller_is_told {
            return;
        }
        if earlier < REFUSED_KEPT {
            tracing::warn!(%first, %again, "callback signalled again: ignored");
        } else if earlier == REFUSED_KEPT {
            tracing::warn!("further signals of this callback are ignored and only counted");
        }
    }

    /// The refused signals so far, the first few of them, and how many there were.
    pub(crate) fn refused(&self) -> (Vec<Refused>, usize) {
        let list = self.0.lock().as_deref().cloned().unwrap_or_default();
        (list.refused, list.count)
    }
}
