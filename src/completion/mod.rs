//! The one-shot pair of a [`Callback`] and the [`Completion`] that waits for it, and the completion
//! tracker, which counts and reports every signal after the first. Nothing in this folder depends
//! on Lambda. Its only contact with JSON is that the results of an invocation are encoded when they
//! are signalled.
//!
//! From the bottom up: `slot/` is the cell that a signal passes through, `target.rs` is the
//! destination of a signal (a completion, an invocation or a function), `literal.rs` makes a
//! callback callable, and `callback.rs` is the public type.

mod call_site;
mod callback;
mod function_values;
mod future;
mod literal;
mod never_called;
mod observer;
mod promisify;
mod responder;
mod slot;
mod sync;
mod target;
mod tracker;

pub use call_site::CallSite;
pub(crate) use call_site::Origin;
pub use callback::{Callback, callback};
pub(crate) use callback::{at, into_callback, unused};
pub use future::{Completion, TimedOut};
pub(crate) use observer::SignalObserver;
pub use promisify::{callbackify, promisify};
pub(crate) use responder::{InvocationWaiter, Responder, Signal};
pub use tracker::{AlreadySignalled, DuplicateSignal};
