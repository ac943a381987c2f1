//! One invocation of a handler: its context, its event loop, its outcome, and the driver that takes
//! it from the event to the response, wherever it runs.
//!
//! An event passes through `function.rs` (which handler, with which settings), `driver.rs` (the
//! order of the steps), `layers.rs` (tower), `running.rs` (enters the handler and waits for its
//! outcome), `event_loop.rs` (runs the tasks in the meantime), and the [`Sink`] of its environment.

mod context;
mod context_builder;
mod control;
mod current;
mod deadline;
mod driver;
mod event_loop;
mod function;
mod handler;
mod invoke;
pub(crate) mod json;
#[cfg(feature = "lambda")]
mod lambda_context;
#[cfg(feature = "lambda")]
mod layers;
mod members;
mod queue;
mod rest;
mod running;
mod sending;
mod settings;
mod sink;
mod spawn;
mod state;
mod task;
mod task_output;
pub(crate) mod timeline;
mod unfinished;
mod watchdog;

pub use context::Context;
pub use context_builder::ContextBuilder;
pub use current::{set_immediate, set_timeout, spawn, spawn_then};
pub(crate) use function::{Function, Functions};
pub use handler::{Handler, StreamingHandler, streamify_response};
#[cfg(feature = "parity")]
pub use handler::{Picked, Picker};
#[cfg(feature = "lambda")]
pub(crate) use invoke::parsed;
pub use invoke::{Outcome, invoke};
pub(crate) use invoke::{in_process, raw};
#[cfg(feature = "lambda")]
pub use layers::InvocationService;
#[cfg(feature = "lambda")]
pub(crate) use layers::Layers;
pub use members::{CognitoIdentity, ContextMembers};
pub(crate) use settings::InvocationSettings;
pub use settings::NeverCalled;
#[cfg(any(feature = "lambda", feature = "local"))]
pub(crate) use sink::Sink;
pub use task::Task;
pub use task_output::TaskOutput;
pub use unfinished::UnfinishedTask;
