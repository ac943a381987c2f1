//! Receives the signals of an invocation, for its timeline.

use super::call_site::CallSite;
use std::fmt;

/// Receives the signals of an invocation, on the threads of the signallers. An implementation must
/// not panic, and must not signal.
pub(crate) trait SignalObserver: fmt::Debug + Send + Sync {
    /// Receives a signal before it is accepted or rejected, and returns a number that identifies it.
    /// If it is the first, the invocation may go on before [`signalled`](Self::signalled) is called.
    fn signalling(&self, call_site: CallSite, succeeds: bool) -> u64;

    /// Receives whether that signal was the first.
    fn signalled(&self, signal: u64, accepted: bool);

    /// Receives a duplicate signal.
    fn rejected(&self, first: CallSite, duplicate: CallSite);

    /// Records that a handle of the callback was dropped before any signal.
    fn dropped(&self);
}
