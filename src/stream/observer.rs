//! Receives the events of a stream, for the timeline of its invocation.

use crate::completion::CallSite;
use std::fmt;

/// Receives the events of a stream, on the thread where they happen and under the lock of the pipe.
/// An implementation must not panic, and must not use the stream.
pub(crate) trait StreamObserver: fmt::Debug + Send + Sync {
    /// Records that a chunk was written.
    fn written(&self, bytes: usize);

    /// Records that the reader took the first chunk.
    fn read_first(&self);

    /// Records that the stream was ended, at a call site or with its invocation.
    fn ended(&self, call_site: Option<CallSite>);

    /// Records that the reader was dropped before it had read everything, and why.
    fn abandoned(&self, why: &str);
}
