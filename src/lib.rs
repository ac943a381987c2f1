//! TODO front page

pub use crate::{
    callback::{AlreadySignalled, Callback, callback},
    completion::{Completion, Refused},
    context::{Context, ContextBuilder, Identity, Members},
    error::{Error, ErrorName, IntoError},
    handler::Handler,
    invoke::{Outcome, Unsignalled, invoke},
    place::Place,
    tasks::{Leftover, Task, TaskOutput},
};
pub use bytes::Bytes;
pub use serde_json::{Value, json, value::RawValue};

/// A result whose error is an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

mod callback;
mod completion;
mod context;
mod error;
mod handler;
mod invoke;
mod panic;
mod place;
mod slot;
mod tasks;
mod wire;
