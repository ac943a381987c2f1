//! The completion tracker, which counts and reports every signal after the first.

use super::call_site::CallSite;
use crate::error::Result;
use parking_lot::Mutex;
use std::{fmt, sync::OnceLock};

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
/// assert_eq!(outcome.duplicate_signals.len(), 1);
/// println!("{}", outcome.duplicate_signals[0]); // signalled again at src/main.rs:6:5, after src/main.rs:5:5
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DuplicateSignal {
    /// Where the first signal came from.
    pub first: CallSite,
    /// Where the duplicate came from.
    pub duplicate: CallSite,
}

impl fmt::Display for DuplicateSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "signalled again at {}, after {}",
            self.duplicate, self.first
        )
    }
}

/// The completion tracker of one completion. The slot decides which signal wins; the tracker counts
/// and reports every signal that lost.
#[derive(Debug, Default)]
pub(crate) struct CompletionTracker {
    /// Set by the first duplicate. Most completions have none, and then take no lock.
    duplicates: OnceLock<Box<Mutex<Duplicates>>>,
    /// Whether a falsy error counts as no error, as with Node's `util.promisify`.
    pub(super) ignores_falsy_errors: bool,
}

#[derive(Debug, Default)]
struct Duplicates {
    kept: Vec<DuplicateSignal>,
    count: usize,
}

/// Duplicate signals beyond this number are only counted, neither kept nor logged, so that a
/// handler that calls its callback in a loop fills neither memory nor the log.
const DUPLICATES_KEPT: usize = 16;

impl CompletionTracker {
    pub(super) fn ignoring_falsy_errors() -> Self {
        CompletionTracker {
            ignores_falsy_errors: true,
            ..CompletionTracker::default()
        }
    }

    /// Counts a duplicate signal, and logs it unless the rejection is returned to its caller.
    pub(crate) fn reject(&self, first: CallSite, duplicate: CallSite, is_returned: bool) {
        let earlier = {
            let mut duplicates = self.duplicates.get_or_init(Box::default).lock();
            duplicates.count += 1;
            if duplicates.count <= DUPLICATES_KEPT {
                duplicates.kept.push(DuplicateSignal { first, duplicate });
            }
            duplicates.count - 1
        };
        if is_returned {
            return;
        }
        if earlier < DUPLICATES_KEPT {
            tracing::warn!(%first, %duplicate, "callback signalled again: ignored");
        } else if earlier == DUPLICATES_KEPT {
            tracing::warn!("further signals of this callback are ignored and only counted");
        }
    }

    /// Returns the first duplicate signals so far, and the number of all of them.
    pub(crate) fn duplicates(&self) -> (Vec<DuplicateSignal>, usize) {
        self.duplicates
            .get()
            .map_or_else(Default::default, |duplicates| {
                let duplicates = duplicates.lock();
                (duplicates.kept.clone(), duplicates.count)
            })
    }
}

/// The error of [`Callback::try_settle`](crate::Callback::try_settle) when another signal came
/// first. It holds the rejected outcome.
///
/// ```
/// let (callback, completion) = nodeback::callback();
/// let clone = callback.clone();
/// callback.succeed("first");
/// let rejected = clone.try_settle(Ok::<_, nodeback::Error>("second")).unwrap_err();
/// println!("the first was at {}", rejected.first()); // src/main.rs:3:10
/// assert_eq!(rejected.into_inner().unwrap(), Some("second"));
/// assert_eq!(completion.wait().unwrap(), Some("first"));
/// ```
pub struct AlreadySignalled<R> {
    pub(super) outcome: Result<Option<R>>,
    pub(super) first: CallSite,
}

impl<R> AlreadySignalled<R> {
    /// Returns the outcome that was rejected.
    ///
    /// # Errors
    ///
    /// The error that was rejected.
    pub fn into_inner(self) -> Result<Option<R>> {
        self.outcome
    }

    /// Returns where the first signal came from.
    pub fn first(&self) -> CallSite {
        self.first
    }
}

impl<R> fmt::Display for AlreadySignalled<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the callback was already signalled at {}", self.first)
    }
}

impl<R> fmt::Debug for AlreadySignalled<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlreadySignalled")
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

impl<R> std::error::Error for AlreadySignalled<R> {}
