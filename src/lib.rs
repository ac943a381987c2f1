//! Node's `callback(error, result)` for AWS Lambda handlers in Rust.
//!
//! AWS removed callback handlers from its Node.js 24 runtime. With this crate a function
//! `handler(event, context, callback)` is ported to Rust line by line, and answers what it
//! answered:
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
//! The same program runs on AWS Lambda, locally (`hello event.json`, or `hello` for a server
//! that the AWS CLI and any SDK can call), and in a unit test, in process: see [`run`](fn@run) and
//! [`invoke`](fn@invoke).
//!
//! | to | read |
//! | --- | --- |
//! | port a Node function, pattern by pattern | [`porting`] |
//! | know what happens when, and where it is not as in Node | [`semantics`] |
//! | test a handler | [`testing`] |
//! | bring it to Lambda | [`deploying`] |
//! | understand an error or a line in the log | [`troubleshooting`] |
//! | know what is promised when things go wrong | [`reliability`] |
//!
//! # Exactly once
//!
//! An invocation is answered by one signal, and always by one:
//!
//! 1. The first signal wins, from whichever clone, task or thread, be it the callback, `succeed`,
//!    `fail` or `done` on the context, or what the handler returned.
//! 2. An error fails the invocation, whatever the result argument holds.
//! 3. A later signal changes nothing. It is logged once, at WARN, with the places of both, and
//!    counted.
//! 4. When the last handle that could signal is dropped and no task of the invocation is left, the
//!    invocation ends, not at the timeout: it fails with `Runtime.CallbackNotCalled`, which names what
//!    was dropped. With [`NeverCalled::Null`] it succeeds with `null`, as in Node.
//! 5. A panic in the handler, in its future or in a task of the invocation fails that invocation,
//!    and the process goes on. Once the answer is out, it is logged and alters nothing.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use nodeback::{Callback, Context, Value, invoke, json};
//!
//! let hasty = |event: Value, _: Context, callback: Callback| {
//!     callback(None, Some(json!("first")));
//!     callback(None, Some(event)); // ignored, and reported
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
//! The callback is consumed by its methods ([`succeed`](Callback::succeed),
//! [`fail`](Callback::fail), [`settle`](Callback::settle)), so that calling twice through one handle
//! does not compile.
//!
//! # The shapes of a handler
//!
//! [`run`](fn@run) and [`invoke`](fn@invoke) take a function or closure of any of these:
//!
#![doc = include_str!("docs/shapes.md")]
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use nodeback::{Callback, Context, Result, Value, error, invoke};
//!
//! fn calls(event: Value, _: Context, callback: Callback) {
//!     callback(None, Some(event));
//! }
//! fn calls_or_throws(event: Value, _: Context, callback: Callback) -> Result<()> {
//!     let id = event.as_u64().ok_or_else(|| error!("an id is a number"))?;
//!     callback.succeed(id.into());
//!     Ok(())
//! }
//! async fn awaits_and_calls(event: Value, _: Context, callback: Callback) {
//!     tokio::task::yield_now().await;
//!     callback.succeed(event);
//! }
//! async fn awaits_and_returns(event: Value, _: Context) -> Result<Value> {
//!     tokio::task::yield_now().await;
//!     Ok(event)
//! }
//! fn blocks_and_returns(event: Value, _: Context) -> Result<Value> {
//!     std::thread::yield_now();
//!     Ok(event)
//! }
//! fn uses_the_context(event: Value, context: Context) {
//!     context.succeed(event);
//! }
//!
//! let context = Context::default;
//! assert_eq!(invoke(calls, 7, context()).await.result.unwrap(), 7);
//! assert_eq!(invoke(calls_or_throws, 7, context()).await.result.unwrap(), 7);
//! assert_eq!(invoke(awaits_and_calls, 7, context()).await.result.unwrap(), 7);
//! assert_eq!(invoke(awaits_and_returns, 7, context()).await.result.unwrap(), 7);
//! assert_eq!(invoke(blocks_and_returns, 7, context()).await.result.unwrap(), 7);
//! assert_eq!(invoke(uses_the_context, 7, context()).await.result.unwrap(), 7);
//! # }
//! ```
//!
//! Several of them make one program with [`exports`]; [`Runtime`] has the settings, tower layers,
//! and what is done before the first event.
//!
//! # Streams
//!
//! [`streamify_response`](fn@streamify_response) is Node's `awslambda.streamifyResponse`: the handler writes to a
//! [`ResponseStream`], which is sent as it is written, up to 200 MB. It has one end, as a callback has
//! one signal.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use nodeback::{Context, ResponseStream, Value, invoke, streamify_response};
//!
//! async fn count(event: u64, stream: ResponseStream, _: Context) -> nodeback::Result<()> {
//!     for n in 0..event {
//!         stream.write(format!("{n}\n")).await?;
//!     }
//!     stream.end().await
//! }
//! let outcome = invoke(streamify_response(count), 2, Context::default()).await;
//! assert_eq!(outcome.stream.unwrap().body(), "0\n1\n");
//! # }
//! ```
//!
//! # The event loop
//!
//! Each invocation has an event loop of its own, which runs its handler and its tasks as Node does:
//! one at a time, first in, first out, and timers of the same time in the order in which they were
//! set, on every flavor of tokio's runtime. What belongs to it was spawned through its context
//! ([`Context::spawn`], [`Context::spawn_blocking`]), or by [`spawn`](fn@spawn), [`set_timeout`] and
//! [`set_immediate`] in code that runs as a part of it, and so needs no context. A success that is
//! signalled through the callback waits until the loop is empty, unless
//! [`callback_waits_for_empty_event_loop`](Context::callback_waits_for_empty_event_loop) was set to
//! false before; a failure, what the context's `succeed`, `fail` and `done` say and what a handler
//! returns are sent at once. [`Context::wait_until`] is for work that follows the answer. A pool
//! or a socket that nobody spawned through the context never holds an invocation up.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use nodeback::{Callback, Context, Value, invoke, json};
//! use std::{sync::mpsc, time::Duration};
//!
//! let (done, metrics) = mpsc::channel();
//! let handler = move |_: Value, context: Context, callback: Callback| {
//!     let done = done.clone();
//!     context.spawn(async move {
//!         tokio::time::sleep(Duration::from_millis(5)).await;
//!         done.send("sent").map_err(|error| error.to_string())
//!     });
//!     callback.succeed(json!("held until the metrics are sent"));
//! };
//! let outcome = invoke(handler, json!({}), Context::default()).await;
//! assert!(outcome.result.is_ok());
//! assert_eq!(metrics.try_recv(), Ok("sent"));
//! # }
//! ```
//!
//! # Without a handler
//!
//! [`callback()`](fn@callback) makes a [`Callback`] and the [`Completion`] that waits for it, to
//! await somebody else's callback API; [`promisify`] and [`callbackify`] are the twins of Node's.
//!
//! # Where it differs from Node
//!
//! | case | Node | nodeback |
//! | --- | --- | --- |
//! | never called | success with `null` | failure `Runtime.CallbackNotCalled`, or [`NeverCalled::Null`] |
//! | an async handler that takes the callback too | its return settles, with `null` | its return does not settle |
//! | second call | ignored silently | ignored, and reported with both places |
//! | uncaught exception, panic | the process dies | that invocation fails |
//! | `trace` of an error | the JavaScript stack | the place, the causes, and the backtrace if asked for |
//!
//! [`semantics`] has the whole list, and the order of events in pictures.
//!
//! # Features
//!
//! | feature | what it brings | default |
//! | --- | --- | --- |
//! | `lambda` | [`run`](fn@run) on AWS Lambda; layers and SnapStart resources of the official `lambda_runtime`; handlers as tower services | yes |
//! | `local` | [`run`](fn@run) locally: the command line and the Invoke API | yes |
//! | `aws-sdk` | errors of the AWS SDK for Rust have the names that they have in Node: see [`aws_sdk`] | no |
//! | `parity` | [`parity::compare`]: a port beside its original on Node, also as the option `--against` | no |
//! | `graceful-shutdown` | [`Runtime::on_shutdown`]: a hook before the process ends | no |
//!
//! Without any the core remains, and no HTTP crate: handlers run by [`invoke`](fn@invoke) and
//! [`Runtime::invoke_raw`] only.
//!
//! The crate supports Rust 1.85, with every feature.
//!
//! nodeback turns on two features of serde_json, which Cargo unifies for the whole program:
//! `preserve_order` (each `Map` keeps the order of insertion, as JavaScript's objects do) and
//! `float_roundtrip` (each number is read as the nearest `f64`, at the price of slower parsing).

#![cfg_attr(docsrs, feature(doc_cfg))]
// What a feature brings is linked to where it is there; the documentation of all has each link.
#![cfg_attr(
    not(all(
        feature = "aws-sdk",
        feature = "graceful-shutdown",
        feature = "local",
        feature = "parity"
    )),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "the pages name what other features bring"
    )
)]
// A user's function never panics or ends because of us, and a number stays what it is. Here and not
// with the other lints, since the examples may index a `Value`, which never panics.
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
#[cfg(feature = "parity")]
mod page;
mod panic_place;
#[cfg(feature = "parity")]
#[doc = include_str!("docs/parity.md")]
pub mod parity;
mod run;
mod runtime;
mod stream;
mod text;

#[doc = include_str!("docs/porting.md")]
pub mod porting {}

#[doc = include_str!("docs/aws_sdk.md")]
pub mod aws_sdk {}

#[doc = include_str!("docs/semantics.md")]
pub mod semantics {}

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
