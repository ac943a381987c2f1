//! Where a signal came from, and which handle sent it.

use std::{fmt, panic::Location, ptr};

/// Where a completion was signalled from.
///
/// ```
/// use nodeback::{CallSite, json};
///
/// let (callback, _completion) = nodeback::callback();
/// let clone = callback.clone();
/// callback.succeed(json!("first"));
/// let rejected = clone.try_settle(Ok::<_, nodeback::Error>(json!("second"))).unwrap_err();
/// assert!(matches!(rejected.first(), CallSite::Call { .. }));
/// println!("already signalled at {}", rejected.first()); // src/main.rs:6:10
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallSite {
    /// A call of the callback, or of `succeed`, `fail` or `done` on the context.
    #[non_exhaustive]
    Call {
        /// The file, the line and the column of the call.
        location: &'static Location<'static>,
    },
    /// The value that the handler returned.
    Returned,
    /// There was no call: the last handle that could signal was dropped.
    Dropped,
    /// There was no call: the [`Completion`](crate::Completion) was dropped, or the invocation
    /// ended without the callback, because of a timeout or a panic.
    Closed,
    /// There was no call: the [`ResponseStream`](crate::ResponseStream) was shut down as an
    /// `AsyncWrite`, or closed as a `Sink`.
    Shutdown,
}

/// Locations that represent the variants without a call, so that a call site is stored as one
/// pointer.
static RETURNED: &Location<'static> = Location::caller();
static DROPPED: &Location<'static> = Location::caller();
static CLOSED: &Location<'static> = Location::caller();
static SHUTDOWN: &Location<'static> = Location::caller();

impl CallSite {
    #[inline]
    pub(crate) fn location(self) -> &'static Location<'static> {
        match self {
            CallSite::Call { location } => location,
            CallSite::Returned => RETURNED,
            CallSite::Dropped => DROPPED,
            CallSite::Closed => CLOSED,
            CallSite::Shutdown => SHUTDOWN,
        }
    }

    /// Returns the call site that this [`location`](Self::location) represents.
    #[inline]
    pub(crate) fn of(location: &'static Location<'static>) -> Self {
        match location {
            l if ptr::eq(l, RETURNED) => CallSite::Returned,
            l if ptr::eq(l, DROPPED) => CallSite::Dropped,
            l if ptr::eq(l, CLOSED) => CallSite::Closed,
            l if ptr::eq(l, SHUTDOWN) => CallSite::Shutdown,
            location => CallSite::Call { location },
        }
    }
}

impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallSite::Call { location } => location.fmt(f),
            CallSite::Returned => f.write_str("the handler's return"),
            CallSite::Dropped => f.write_str("the drop of the last handle"),
            CallSite::Closed => f.write_str("the end of its invocation"),
            CallSite::Shutdown => f.write_str("the shutdown of its writer"),
        }
    }
}

/// Which handle a signaller is, so that an error can name it: the location where it was cloned, or
/// a stand-in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin(&'static Location<'static>);

/// The stand-ins. They are statics rather than constants: a constant would be evaluated anew in
/// each crate that uses a generic function of this one, and would be a different location there.
static FIRST: &Location<'static> = Location::caller();
static CONTEXT: &Location<'static> = Location::caller();

impl Origin {
    /// Identifies the handle that the pair or the invocation was created with.
    #[inline]
    pub(crate) fn first() -> Self {
        Origin(FIRST)
    }

    /// Identifies the context, which can signal through `succeed`, `fail` and `done`.
    #[inline]
    pub(crate) fn context() -> Self {
        Origin(CONTEXT)
    }

    /// Identifies a clone that the caller makes.
    #[track_caller]
    pub(crate) fn clone_here() -> Self {
        Origin(Location::caller())
    }

    #[inline]
    pub(crate) fn is_first(self) -> bool {
        ptr::eq(self.0, FIRST)
    }

    #[inline]
    pub(crate) fn is_context(self) -> bool {
        ptr::eq(self.0, CONTEXT)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            location if ptr::eq(location, FIRST) => f.write_str("the callback itself"),
            location if ptr::eq(location, CONTEXT) => f.write_str("the context"),
            location => write!(f, "a clone made at {location}"),
        }
    }
}
