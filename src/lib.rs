//! Node's `callback(error, result)` for AWS Lambda handlers in Rust.
//!
//! AWS removed callback handlers from its Node.js 24 runtime. With this crate you port a function
//! `handler(event, context, callback)` to Rust line by line, and it keeps its responses:
//!
#![cfg_attr(any(feature = "lambda", feature = "local"), doc = "```no_run")]
#![cfg_attr(not(any(feature = "lambda", feature = "local")), doc = "```ignore")]
//! use nodeback::{Callback, Context, Value, json};
//!
//! fn handler(event: Value, context: Context, callback: Callback) {
//!     callback(None, Some(json!({ "hello": event["name"], "request": context.aws_request_id })));
//! }
//!
//! #[tokio::main]
//! async fn main() -> nodeback::Result<()> {
//!     nodeback::run(handler).await
//! }
//! ```
//!
//! The same program runs on AWS Lambda, locally (`hello event.json` for one invocation, `hello` for a
//! server that the AWS CLI and any SDK can call), and in process in a unit test. [`run`](fn@run) and
//! [`invoke`](fn@invoke) are the entry points.
//!
//! | To | read |
//! | --- | --- |
//! | port a Node function, pattern by pattern | [`porting`] |
//! | learn what happens when, and where it differs from Node | [`semantics`] |
//! | stream a response | [`streaming`] |
//! | call AWS services and handle their errors | [`aws_sdk`] |
//! | test a handler | [`testing`] |
//! | compare a port with its original | [`parity`] |
//! | measure what its invocations cost | `bench`, with the feature of that name |
//! | deploy a function | [`deploying`] |
//! | understand an error or a log line | [`troubleshooting`] |
//! | learn what is guaranteed when things go wrong | [`reliability`] |
//!
//! # Exactly once
//!
//! Every invocation ends with exactly one signal:
//!
//! 1. The first signal wins, from any clone, task or thread. A signal is a call of the callback, of
//!    `succeed`, `fail` or `done` on the context, or the result that the handler returns.
//! 2. An error fails the invocation, whatever the result argument holds.
//! 3. A later signal changes nothing. It is logged at WARN with both call sites, and counted.
//! 4. When the last handle that could signal is dropped and no task of the invocation is left, the
//!    invocation fails at once with `Runtime.CallbackNotCalled`, which names the handle that was
//!    dropped. With [`NeverCalled::Null`] it succeeds with `null`, as in Node.
//! 5. A panic in the handler, in its future or in a task of the invocation fails that invocation and
//!    nothing else. After the outcome has been sent, a panic is only logged.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use nodeback::{Callback, Context, Value, invoke, json};
//!
//! let hasty = |event: Value, _: Context, callback: Callback| {
//!     callback(None, Some(json!("first")));
//!     callback(None, Some(event)); // ignored and reported
//! };
//! let outcome = invoke(hasty, json!({}), Context::default()).await;
//! assert_eq!(outcome.result.unwrap(), "first");
//! assert_eq!(outcome.duplicate_signals.len(), 1);
//!
//! let forgetful = |_: Value, _: Context, callback: Callback| drop(callback);
//! let outcome = invoke(forgetful, json!({}), Context::default()).await;
//! assert_eq!(outcome.result.unwrap_err().error_type(), "Runtime.CallbackNotCalled");
//! # }
//! ```
//!
//! The methods `succeed`, `fail` and `settle` consume the callback, so that a second call through the same
//! handle does not compile. The literal call, `callback(error, result)`, does not consume it.
//!
//! # Handlers
//!
//! A handler is a function or closure of one of these shapes; [`Handler`] has an example of each.
//!
#![doc = include_str!("docs/shapes.md")]
//!
//! [`exports`] combines several handlers in one program, and [`Runtime`] has the settings, tower
//! layers, and initialization before the first event. [`streamify_response`](fn@streamify_response)
//! is Node's `awslambda.streamifyResponse`: its handler writes to a [`ResponseStream`], up to 200 MB,
//! which is sent while it is written (see [`streaming`]).
//!
//! # The event loop
//!
//! Each invocation has an event loop of its own, which runs the handler and its tasks as Node does:
//! one at a time, first in, first out. Timers that are due at the same time run in the order in which
//! they were set. Tasks belong to the invocation if they are spawned through its context
//! ([`Context::spawn`], [`Context::spawn_blocking`]), or by [`spawn`](fn@spawn), [`set_timeout`] or
//! [`set_immediate`] in code that runs as part of it.
//!
//! A success that is signalled through the callback is deferred until these tasks finish, unless
//! [`callback_waits_for_empty_event_loop`](Context::callback_waits_for_empty_event_loop) was set to
//! false before. A failure, a signal through the context and the result that a handler returns are sent
//! at once. [`Context::wait_until`] runs work after the response. Connection pools and sockets never
//! delay an invocation, because their tasks are not spawned through the context.
//!
//! # Callbacks without a handler
//!
//! [`callback()`](fn@callback) makes a [`Callback`] and the [`Completion`] that waits for it, for
//! awaiting another library's callback API. [`promisify`] and [`callbackify`] correspond to Node's
//! functions of those names.
//!
//! # Differences from Node
//!
//! | Case | Node | nodeback |
//! | --- | --- | --- |
//! | never called | success with `null` | failure `Runtime.CallbackNotCalled`, or [`NeverCalled::Null`] |
//! | an async handler that also takes the callback | its return signals `null` | its return signals nothing |
//! | second call | silently ignored | ignored, and reported with both call sites |
//! | uncaught exception, panic | the process exits | only that invocation fails |
//! | `trace` of an error | the JavaScript stack | the call site, the causes, and a backtrace on request |
//!
//! [`semantics`] has the complete list, and the order of events in pictures.
//!
//! # Features
//!
//! | Feature | Adds | Default |
//! | --- | --- | --- |
//! | `lambda` | [`run`](fn@run) on AWS Lambda; layers and SnapStart resources of the official `lambda_runtime`; handlers as tower services | yes |
//! | `local` | [`run`](fn@run) locally: the command line and the local server | yes |
//! | `aws-sdk` | the names that errors of the AWS SDK have in Node: see [`aws_sdk`] | no |
//! | `parity` | [`parity::compare`] and the option `--against`: the port compared with its original on Node | no |
//! | `bench` | [`bench`](mod@bench) and the option `--bench`: what the invocations of a handler cost; includes `parity` | no |
//! | `bench-allocations` | allocations, too, in the figures of `bench` | no |
//! | `graceful-shutdown` | [`Runtime::on_shutdown`]: a hook before the process ends | no |
//!
//! With no features, only the core remains, which depends on no HTTP crate: [`invoke`](fn@invoke) and
//! [`Runtime::invoke_raw`] run handlers in process. Every feature supports Rust 1.85.
//!
//! nodeback enables two features of serde_json, which Cargo unifies for the whole program:
//! `preserve_order` (each `Map` keeps its insertion order, as JavaScript's objects do) and
//! `float_roundtrip` (each number is parsed as the nearest `f64`, which is slower).

#![cfg_attr(docsrs, feature(doc_cfg))]
// The documentation that is built with every feature has a target for each link.
#![cfg_attr(
    not(all(
        feature = "aws-sdk",
        feature = "bench",
        feature = "graceful-shutdown",
        feature = "local",
        feature = "parity"
    )),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "the pages name what other features bring"
    )
)]
// This crate must not panic, exit, or change a number behind the back of a user's function. These lints
// are not among those of the workspace because the examples may index a `Value`, which never panics.
#![deny(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::exit,
    clippy::expect_used,
    clippy::get_unwrap,
    clippy::indexing_slicing,
    clippy::panic,
    // They panic where their stream is closed.
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub use bytes::Bytes;
pub use completion::{
    AlreadySignalled, CallSite, Callback, Completion, DuplicateSignal, TimedOut, callback,
    callbackify, promisify,
};
pub use error::{Error, ErrorName, IntoError, Result};
#[cfg(feature = "lambda")]
pub use http::{HttpService, http_service};
#[cfg(feature = "lambda")]
pub use invocation::InvocationService;
pub use invocation::{
    CognitoIdentity, Context, ContextBuilder, ContextMembers, Handler, NeverCalled, Outcome,
    StreamingHandler, Task, TaskOutput, UnfinishedTask, invoke, set_immediate, set_timeout, spawn,
    spawn_then, streamify_response,
};
#[cfg(feature = "lambda")]
pub use lambda::{HandlerService, service};
#[cfg(feature = "lambda")]
pub use lambda_runtime::{LambdaInvocation, SnapStartResource};
#[cfg(feature = "local")]
pub use local::LocalRoutes;
#[cfg(any(feature = "lambda", feature = "local"))]
pub use run::run;
pub use runtime::{Runtime, exports};
pub use serde_json::{Value, json, value::RawValue};
pub use stream::{HttpResponseStream, IntoChunk, ResponseStream, StreamedResponse};

#[cfg(feature = "bench")]
#[doc = include_str!("docs/benchmarking.md")]
pub mod bench;
mod clock;
mod completion;
mod error;
mod guard;
#[cfg(any(feature = "lambda", feature = "local"))]
mod http;
#[cfg(test)]
#[path = "tests/inputs.rs"]
mod inputs;
mod invocation;
pub mod js;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg(feature = "local")]
mod local;
#[cfg(any(feature = "lambda", feature = "local"))]
mod log;
#[cfg(feature = "local")]
mod page;
mod panic_place;
#[cfg(feature = "parity")]
#[doc = include_str!("docs/parity.md")]
pub mod parity;
mod phases;
mod run;
mod runtime;
mod stream;
mod text;

/// What happened in an invocation, in order: the types of a [`Timeline`](timeline::Timeline).
pub mod timeline {
    pub use crate::invocation::timeline::{
        AbortCause, RespondedBy, TaskEnd, Timeline, TimelineEntry, TimelineEvent, TimelineTask,
    };
}

#[doc = include_str!("docs/porting.md")]
pub mod porting {}

#[doc = include_str!("docs/aws_sdk.md")]
pub mod aws_sdk {}

#[doc = include_str!("docs/semantics.md")]
pub mod semantics {}

#[doc = include_str!("docs/streaming.md")]
pub mod streaming {}

#[doc = include_str!("docs/testing.md")]
pub mod testing {}

#[cfg(feature = "parity")]
#[doc = include_str!("docs/capture.md")]
pub mod capture {}

#[doc = include_str!("docs/deploying.md")]
pub mod deploying {}

#[doc = include_str!("docs/troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("docs/reliability.md")]
pub mod reliability {}

/// README's code compiles.
#[cfg(all(doctest, any(feature = "lambda", feature = "local")))]
#[doc = include_str!("../README.md")]
mod readme {}
