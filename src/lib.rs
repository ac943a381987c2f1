//! TODO front page

// A user's function never panics because of us. Here and not with the other lints, since the
// examples may index a `Value`, which never panics.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub use crate::{
    callback::{AlreadySignalled, Callback, callback},
    completion::{Completion, Refused},
    context::{Context, ContextBuilder, Identity, Members},
    error::{Error, ErrorName, IntoError},
    handler::Handler,
    invoke::{Outcome, Unsignalled, invoke},
    place::Place,
    runtime::Runtime,
    tasks::{Leftover, Task, TaskOutput},
};
pub use bytes::Bytes;
pub use serde_json::{Value, json, value::RawValue};

#[cfg(any(feature = "lambda", feature = "local"))]
pub use runtime::run;

/// A result whose error is an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

mod callback;
mod completion;
mod context;
mod error;
mod handler;
mod invoke;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg(feature = "local")]
mod local;
#[cfg(any(feature = "lambda", feature = "local"))]
mod log;
mod panic;
mod place;
mod runtime;
mod slot;
mod tasks;
mod wire;
