use std::{fmt, panic::Location, ptr};

/// Where a completion was signalled from.
///
/// ```
/// use nodeback::{Place, json};
///
/// let (callback, _completion) = nodeback::callback();
/// let clone = callback.clone();
/// callback.succeed(json!("first"));
/// let refused = clone.try_settle(Ok::<_, nodeback::Error>(json!("second"))).unwrap_err();
/// assert!(matches!(refused.first(), Place::At(_)));
/// println!("already signalled at {}", refused.first()); // src/main.rs:6:10
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A call in the source: of the callback, or of `succeed`, `fail` and `done` on the context.
    At(&'static Location<'static>),
    /// The value that the handler returned.
    Returned,
    /// Nowhere: the last handle that could signal was dropped.
    Lost,
    /// Nowhere: nobody waits any more, since the [`Completion`](crate::Completion) was dropped
    /// or the invocation has been answered without the callback (a timeout, a panic).
    Closed,
}

/// Addresses that stand for what is no call, so that a place is one word.
static RETURNED: &Location<'static> = Location::caller();
static LOST: &Location<'static> = Location::caller();
static CLOSED: &Location<'static> = Location::caller();

impl Place {
    #[inline]
    pub(crate) fn location(self) -> &'static Location<'static> {
        match self {
            Place::At(location) => location,
            Place::Returned => RETURNED,
            Place::Lost => LOST,
            Place::Closed => CLOSED,
        }
    }

    /// The one with that [`location`](Self::location).
    #[inline]
    pub(crate) fn of(location: &'static Location<'static>) -> Self {
        match location {
            l if ptr::eq(l, RETURNED) => Place::Returned,
            l if ptr::eq(l, LOST) => Place::Lost,
            l if ptr::eq(l, CLOSED) => Place::Closed,
            l => Place::At(l),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::At(location) => location.fmt(f),
            Place::Returned => f.write_str("the handler's return"),
            Place::Lost => f.write_str("the drop of the last handle"),
            Place::Closed => f.write_str("the end of its invocation"),
        }
    }
}

/// Which handle a signaller is, so that a lost one can be named: where it was cloned, or a stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(&'static Location<'static>);

impl Origin {
    /// The handle that the pair or the invocation was made with.
    pub(crate) const FIRST: Self = Origin(Location::caller());
    /// The context, which can signal through `succeed`, `fail` and `done`.
    pub(crate) const CONTEXT: Self = Origin(Location::caller());

    /// A clone that is made here.
    #[track_caller]
    pub(crate) fn clone_here() -> Self {
        Origin(Location::caller())
    }
}

/// What all ends of a slot share beside it.
pub(crate) trait Attached<T> {
    /// The value that stands for "the last signaller is gone", which is this one.
    fn lost(&self, origin: Origin) -> T;
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            origin if origin == Origin::FIRST => f.write_str("the callback itself"),
            origin if origin == Origin::CONTEXT => f.write_str("the context"),
            Origin(location) => write!(f, "a clone made at {location}"),
        }
    }
}
