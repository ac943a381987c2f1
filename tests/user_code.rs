//! Tests user code that panics in unexpected places: in `Deserialize`, `Serialize`, `Display`,
//! `source`, `Drop` and wrappers. At most, it fails its own invocation, and the next invocation is
//! unaffected. Most tests run on every flavor of tokio's runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "common/flavors.rs"]
mod flavors;

use flavors::on_every_flavor;
use nodeback::{
    Callback, Context, Error, Handler, IntoError, NeverCalled, Outcome, Result, Runtime, Value,
    error, json, set_timeout,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    panic::panic_any,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    thread,
    time::Duration,
};

async fn invoke<M>(handler: impl Handler<M>) -> Outcome {
    let context = Context::builder().timeout(Duration::from_secs(20)).build();
    nodeback::invoke(handler, json!({ "n": 1 }), context).await
}

/// Returns the error of an outcome as `errorType: errorMessage`.
fn failure(outcome: Outcome) -> String {
    let error = outcome.result.unwrap_err();
    format!("{}: {}", error.error_type(), error.message())
}

/// Asserts that another invocation still works.
async fn assert_unharmed() {
    let echo = |event: Value, _: Context, callback: Callback| callback.succeed(event);
    assert_eq!(invoke(echo).await.result.unwrap(), json!({ "n": 1 }));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

mod an_event {
    use super::*;

    struct Panics;
    impl<'de> Deserialize<'de> for Panics {
        fn deserialize<D: Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
            panic!("in Deserialize")
        }
    }

    #[derive(Deserialize)]
    struct Within {
        #[allow(dead_code, reason = "its deserialization panics")]
        n: Panics,
    }

    /// Fails to deserialize while it holds a value that panics when it is dropped.
    struct Fails;
    impl<'de> Deserialize<'de> for Fails {
        fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
            let _bomb = Bomb;
            u8::deserialize(from).map(|_| Fails)
        }
    }

    #[test]
    fn that_panics_during_deserialization_fails_its_invocation() {
        on_every_flavor(async || {
            let panics = |_: Panics, _: Context, callback: Callback| callback.succeed(json!(1));
            assert_eq!(
                failure(invoke(panics).await),
                "Runtime.Panic: in Deserialize"
            );
            let within = async |_: Within| Ok::<_, Error>(());
            assert_eq!(
                failure(invoke(within).await),
                "Runtime.Panic: in Deserialize"
            );
            let blocking = |_: Panics, _: Context| Ok::<_, Error>(());
            assert_eq!(
                failure(invoke(blocking).await),
                "Runtime.Panic: in Deserialize"
            );
            let fails = |_: Fails, _: Context| Ok::<_, Error>(());
            assert_eq!(failure(invoke(fails).await), "Runtime.Panic: dropped");
            assert_unharmed().await;
        });
    }

    #[test]
    fn of_a_test_that_panics_during_serialization_fails_the_invocation() {
        on_every_flavor(async || {
            let echo = |event: Value, _: Context, callback: Callback| callback.succeed(event);
            let outcome = nodeback::invoke(echo, a_result::Panics, Context::default()).await;
            assert_eq!(failure(outcome), "Runtime.Panic: in Serialize");
        });
    }

    #[test]
    fn that_panics_when_it_is_dropped_fails_its_invocation() {
        #[derive(Deserialize)]
        struct Event {
            #[serde(skip, default = "bomb")]
            _bomb: Bomb,
        }
        fn bomb() -> Bomb {
            Bomb
        }
        on_every_flavor(async || {
            let drops = |_: Event, _: Context, callback: Callback| callback.succeed(json!(1));
            assert_eq!(failure(invoke(drops).await), "Runtime.Panic: dropped");
        });
    }
}

mod a_result {
    use super::*;

    #[derive(Debug)]
    pub(super) struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            panic!("in Serialize")
        }
    }

    #[test]
    fn that_panics_during_serialization_fails_its_invocation_on_any_thread() {
        on_every_flavor(async || {
            const PANIC: &str = "Runtime.Panic: in Serialize";
            for _ in 0..20 {
                let at_once =
                    |_: Value, _: Context, callback: Callback<Panics>| callback.succeed(Panics);
                assert_eq!(failure(invoke(at_once).await), PANIC);
                let blocking = |_: Value, _: Context| Ok::<_, Error>(Panics);
                assert_eq!(failure(invoke(blocking).await), PANIC);
                let returned = async |_: Value| Ok::<_, Error>(Panics);
                assert_eq!(failure(invoke(returned).await), PANIC);
                let on_a_thread = |_: Value, _: Context, callback: Callback<Panics>| {
                    thread::spawn(move || callback(None, Some(Panics)));
                };
                assert_eq!(failure(invoke(on_a_thread).await), PANIC);
                let elsewhere = |_: Value, context: Context| {
                    tokio::spawn(async move { context.succeed(Panics) });
                };
                assert_eq!(failure(invoke(elsewhere).await), PANIC);
                let blocking_task = |_: Value, context: Context, callback: Callback<Panics>| {
                    context.spawn_blocking(move || callback.succeed(Panics));
                };
                assert_eq!(failure(invoke(blocking_task).await), PANIC);
            }
            assert_unharmed().await;
        });
    }

    /// Encoded as `1`.
    struct One(#[allow(dead_code, reason = "for its destructor")] Bomb);
    impl Serialize for One {
        fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
            to.serialize_u8(1)
        }
    }

    #[test]
    fn that_panics_when_it_is_dropped_fails_an_invocation_without_an_outcome() {
        on_every_flavor(async || {
            let deferred =
                |_: Value, _: Context, callback: Callback<One>| callback.succeed(One(Bomb));
            assert_eq!(failure(invoke(deferred).await), "Runtime.Panic: dropped");
            // A signal from a plain thread or another tokio task is kept: the panic unwinds there.
            let on_a_thread = |_: Value, _: Context, callback: Callback<One>| {
                thread::spawn(move || callback.succeed(One(Bomb)));
            };
            assert_eq!(invoke(on_a_thread).await.result.unwrap(), 1);
            assert_unharmed().await;
        });
    }
}

mod an_error {
    use super::*;

    /// How an error misbehaves.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum How {
        Well,
        PanicsInDisplay,
        FailsInDisplay,
        PanicsInSource,
        IsItsOwnSource,
        PanicsWhenDropped,
    }
    use How::*;

    #[derive(Debug)]
    struct Hostile(How, &'static str, Option<Box<Hostile>>);

    impl fmt::Display for Hostile {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)?;
            match self.0 {
                PanicsInDisplay => panic!("in Display"),
                FailsInDisplay => Err(fmt::Error),
                _ => Ok(()),
            }
        }
    }

    impl StdError for Hostile {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            match self.0 {
                PanicsInSource => panic!("in source"),
                IsItsOwnSource => Some(self),
                _ => self.2.as_deref().map(|cause| cause as _),
            }
        }
    }

    impl Drop for Hostile {
        fn drop(&mut self) {
            if self.0 == PanicsWhenDropped {
                panic!("dropped");
            }
        }
    }

    const ALL: [How; 6] = [
        Well,
        PanicsInDisplay,
        FailsInDisplay,
        PanicsInSource,
        IsItsOwnSource,
        PanicsWhenDropped,
    ];

    fn hostile(how: How) -> Hostile {
        // A second panic while the first one unwinds would abort the process, as always in Rust.
        let inner = if how == PanicsWhenDropped { Well } else { how };
        let cause = Hostile(inner, "inner", None);
        Hostile(how, "outer", Some(Box::new(cause)))
    }

    fn causes(error: &Error) -> Vec<String> {
        let trace = error.trace();
        let causes = trace
            .iter()
            .filter_map(|line| line.strip_prefix("caused by: "));
        causes.map(String::from).collect()
    }

    /// Checks the error with which an invocation failed.
    fn check(how: How, outcome: Outcome) {
        let error = outcome.result.unwrap_err();
        let message = match how {
            PanicsInDisplay => "outer (its Display panicked: in Display)",
            FailsInDisplay => "outer (its Display returned an error)",
            _ => "outer",
        };
        assert_eq!(error.message(), message, "{how:?}");
        let causes = causes(&error);
        let expected = match how {
            Well | PanicsWhenDropped => "inner",
            PanicsInDisplay => "inner (its Display panicked: in Display)",
            FailsInDisplay => "inner (its Display returned an error)",
            PanicsInSource => return assert_eq!(causes, [""; 0]),
            IsItsOwnSource => "(further causes are left out after 32)",
        };
        assert_eq!(causes.len(), if how == IsItsOwnSource { 33 } else { 1 });
        assert_eq!(causes.last().unwrap(), expected);
        // Every way to format the error terminates, too.
        assert!(format!("{error:#}").len() < 10_000);
        assert!(format!("{error:?}").contains("outer"));
        assert!(error.to_json().contains("outer"));
    }

    #[test]
    fn that_is_hostile_still_becomes_the_outcome() {
        on_every_flavor(async || {
            for how in ALL {
                let returned = move |_: Value| async move { Err::<Value, _>(hostile(how)) };
                check(how, invoke(returned).await);
                let called =
                    move |_: Value, _: Context, callback: Callback| callback.fail(hostile(how));
                check(how, invoke(called).await);
                let thrown =
                    move |_: Value, _: Context, _: Callback| -> Result<()> { Err(hostile(how))? };
                check(how, invoke(thrown).await);
                let blocking = move |_: Value, _: Context| Err::<Value, _>(hostile(how));
                check(how, invoke(blocking).await);
                let in_a_task = move |_: Value, context: Context, callback: Callback| {
                    context.spawn(async move { Err::<(), _>(hostile(how)) });
                    callback.succeed(json!("deferred"));
                };
                check(how, invoke(in_a_task).await);
                let in_a_timer = move |_: Value, _: Context, callback: Callback| {
                    set_timeout(Duration::ZERO, move || Err::<(), _>(hostile(how)));
                    callback.succeed(json!("deferred"));
                };
                check(how, invoke(in_a_timer).await);
                let on_a_thread = move |_: Value, _: Context, callback: Callback| {
                    thread::spawn(move || callback.fail(hostile(how)));
                };
                check(how, invoke(on_a_thread).await);
                let boxed = move |_: Value| async move {
                    Err::<Value, Box<dyn StdError + Send + Sync>>(Box::new(hostile(how)))
                };
                check(how, invoke(boxed).await);
                let anyhow = move |_: Value| async move {
                    Err::<Value, _>(anyhow::Error::new(hostile(how)))
                };
                check(how, invoke(anyhow).await);
                assert_unharmed().await;
            }
        });
    }

    #[test]
    fn after_the_response_changes_nothing() {
        on_every_flavor(async || {
            for how in ALL {
                let late = move |_: Value, context: Context, callback: Callback| {
                    context.wait_until(async move { Err::<(), _>(hostile(how)) });
                    context.set_callback_waits_for_empty_event_loop(false);
                    context.spawn(async move { Err::<(), _>(hostile(how)) });
                    callback.succeed(json!("first"));
                };
                assert_eq!(invoke(late).await.result.unwrap(), "first");
                assert_unharmed().await;
            }
        });
    }

    #[test]
    fn that_is_a_cause_is_walked_to_a_bounded_depth() {
        for how in ALL {
            let error = Error::new("Outer", "message").with_cause(hostile(how));
            assert!(error.source().is_some());
            assert!(causes(&error).len() <= 33);
            let through_anyhow = anyhow::Error::from(error).context("more").into_error();
            assert_eq!(through_anyhow.error_type(), "Outer");
            assert!(causes(&through_anyhow).len() <= 33);
        }
    }

    #[test]
    fn in_a_cycle_of_causes_is_walked_to_a_bounded_depth() {
        #[derive(Debug)]
        struct Even;
        #[derive(Debug)]
        struct Odd;
        macro_rules! each_others {
            ($this:ident, $other:ident) => {
                impl fmt::Display for $this {
                    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(stringify!($this))
                    }
                }
                impl StdError for $this {
                    fn source(&self) -> Option<&(dyn StdError + 'static)> {
                        Some(&$other)
                    }
                }
            };
        }
        each_others!(Even, Odd);
        each_others!(Odd, Even);
        let error = Even.into_error();
        assert_eq!(error.error_type(), "Even");
        assert_eq!(causes(&error).len(), 33);
        assert_eq!(causes(&error)[..3], ["Odd", "Even", "Odd"]);
    }
}

mod a_panic {
    use super::*;

    #[test]
    fn with_a_payload_that_panics_when_it_is_dropped_fails_its_invocation() {
        on_every_flavor(async || {
            const PANIC: &str = "Runtime.Panic: a panic whose payload is not a string";
            let handler = |_: Value, _: Context, _: Callback| panic_any(Bomb);
            assert_eq!(failure(invoke(handler).await), PANIC);
            let future = async |_: Value| -> Result<Value> {
                tokio::task::yield_now().await;
                panic_any(Bomb)
            };
            assert_eq!(failure(invoke(future).await), PANIC);
            let task = |_: Value, context: Context, callback: Callback| {
                context.spawn(async { panic_any(Bomb) });
                callback.succeed(json!("deferred"));
            };
            assert_eq!(failure(invoke(task).await), PANIC);
            let blocking = |_: Value, _: Context| -> Result<Value> { panic_any(Bomb) };
            assert_eq!(failure(invoke(blocking).await), PANIC);
            let timer = |_: Value, _: Context, _: Callback| {
                set_timeout(Duration::ZERO, || panic_any(Bomb));
            };
            assert_eq!(failure(invoke(timer).await), PANIC);
            assert_unharmed().await;
        });
    }
}

mod the_trace_of_a_panic {
    use super::*;
    use std::panic::{catch_unwind, resume_unwind};

    /// Returns the line of a trace for a panic at this line of this file, without the column.
    fn at(line: u32) -> String {
        format!("    at {}:{line}:", file!())
    }

    #[test]
    fn has_the_location_of_the_panic() {
        on_every_flavor(async || {
            let line = line!() + 1;
            let handler = |_: Value, _: Context, _: Callback| panic!("at once");
            let trace = invoke(handler).await.result.unwrap_err().trace();
            assert_eq!(trace[0], "Runtime.Panic: at once");
            assert!(trace[1].starts_with(&at(line)), "{trace:?}");

            let task = |_: Value, context: Context, _: Callback| {
                context.spawn(async { "x".parse::<u8>().map(drop).unwrap() });
            };
            let trace = invoke(task).await.result.unwrap_err().trace();
            assert!(trace[1].starts_with(&at(line + 6)), "{trace:?}");

            let blocking = |_: Value, _: Context| -> Result<Value> { panic!("on a thread") };
            let trace = invoke(blocking).await.result.unwrap_err().trace();
            assert!(trace[1].starts_with(&at(line + 11)), "{trace:?}");
        });
    }

    /// `resume_unwind` does not run the panic hook, so there is no location to report.
    #[test]
    fn does_not_have_the_location_of_another_panic() {
        on_every_flavor(async || {
            let handler = |_: Value, _: Context, callback: Callback| {
                let caught = catch_unwind(|| panic!("caught by the handler")).is_err();
                callback.succeed(json!(caught));
            };
            assert_eq!(invoke(handler).await.result.unwrap(), json!(true));
            let resumed = |_: Value, _: Context, _: Callback| resume_unwind(Box::new("resumed"));
            let trace = invoke(resumed).await.result.unwrap_err().trace();
            assert_eq!(trace, ["Runtime.Panic: resumed"]);
        });
    }
}

mod a_panic_after_a_signal {
    use super::*;

    /// A panic replaces a deferred success, which then does not count as a duplicate signal. An
    /// outcome that was to be sent at once is replaced as well, but it is reported as a duplicate
    /// signal.
    #[test]
    fn is_the_outcome() {
        on_every_flavor(async || {
            let deferred = |_: Value, _: Context, callback: Callback| {
                callback.succeed(json!("deferred"));
                panic!("after it")
            };
            let outcome = invoke(deferred).await;
            assert_eq!(outcome.duplicate_signal_count, 0);
            assert_eq!(failure(outcome), "Runtime.Panic: after it");
            let at_once = |_: Value, context: Context, _: Callback| {
                context.succeed("at once");
                panic!("after it")
            };
            let outcome = invoke(at_once).await;
            assert_eq!(outcome.duplicate_signal_count, 1);
            assert_eq!(
                outcome.duplicate_signals[0].first,
                nodeback::CallSite::Closed
            );
            assert_eq!(failure(outcome), "Runtime.Panic: after it");
        });
    }
}

mod a_future {
    use super::*;

    /// A future that completes and panics when it is dropped afterwards.
    struct Ends(Option<Callback>);
    impl Future for Ends {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
            if let Some(callback) = self.0.take() {
                callback.succeed(json!("signalled"));
            }
            Poll::Ready(())
        }
    }
    impl Drop for Ends {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn that_panics_when_it_is_dropped_fails_its_invocation() {
        on_every_flavor(async || {
            let handler = |_: Value, _: Context, callback: Callback| Ends(Some(callback));
            assert_eq!(failure(invoke(handler).await), "Runtime.Panic: dropped");
            let task = |_: Value, context: Context, callback: Callback| {
                context.spawn(Ends(Some(callback)));
            };
            assert_eq!(failure(invoke(task).await), "Runtime.Panic: dropped");
            // A panic after the response does not change it.
            let late = |_: Value, context: Context, callback: Callback| {
                context.wait_until(Ends(None));
                callback.succeed(json!("first"));
            };
            assert_eq!(invoke(late).await.result.unwrap(), "first");
            assert_unharmed().await;
        });
    }

    #[test]
    fn that_panics_when_it_is_aborted_at_the_deadline_changes_nothing() {
        on_every_flavor(async || {
            let hangs = async || {
                let _bomb = Bomb;
                std::future::pending::<()>().await;
            };
            let in_time = Context::builder().timeout(Duration::from_millis(100));
            // An abort by the invocation's own code is different: a panic of the destructor fails
            // the invocation.
            let aborted = |_: Value, context: Context, callback: Callback| {
                let bomb = Bomb;
                let task = context.spawn(async move {
                    let _bomb = bomb;
                    std::future::pending::<()>().await;
                });
                task.abort();
                callback.succeed(json!("aborted"));
            };
            assert_eq!(failure(invoke(aborted).await), "Runtime.Panic: dropped");
            let timed_out = move |_: Value, context: Context, callback: Callback| async move {
                context.spawn(hangs());
                hangs().await;
                callback.succeed(json!("never"));
            };
            let outcome = nodeback::invoke(timed_out, (), in_time.clone().build()).await;
            assert_eq!(outcome.result.unwrap_err().error_type(), "Sandbox.Timedout");
            let deferred = move |_: Value, context: Context, callback: Callback| {
                context.spawn(hangs());
                callback.succeed(json!("without it"));
            };
            let outcome = nodeback::invoke(deferred, (), in_time.build()).await;
            assert_eq!(outcome.result.unwrap(), "without it");
            // Nor does a panic of an invocation that is itself dropped.
            let dropped = nodeback::invoke(timed_out, (), Context::default());
            let dropped = tokio::time::timeout(Duration::from_millis(5), dropped).await;
            assert!(dropped.is_err());
            assert_unharmed().await;
        });
    }
}

mod a_wrapper {
    use super::*;

    /// Wraps `callback`, as `(err, res) => callback(err, wrap(res))` does in Node.
    fn wrap(callback: Callback) -> Callback {
        Callback::from_fn(move |error, result: Option<Value>| {
            callback(error, result.map(|result| json!({ "wrapped": result })));
        })
    }

    fn throws(_: Value, _: Context, _callback: Callback) -> Result<()> {
        Err(Error::new("TypeError", "thrown"))
    }

    #[test]
    fn does_not_hide_the_error_that_a_handler_throws() {
        on_every_flavor(async || {
            let passes = |event: Value, context: Context, callback: Callback| {
                throws(event, context, wrap(callback))
            };
            let outcome = invoke(passes).await;
            assert_eq!(outcome.duplicate_signal_count, 0);
            assert_eq!(failure(outcome), "TypeError: thrown");

            let twice = |event: Value, context: Context, callback: Callback| {
                throws(event, context, wrap(wrap(callback)))
            };
            let outcome = invoke(twice).await;
            assert_eq!(
                (outcome.duplicate_signal_count, failure(outcome)),
                (0, "TypeError: thrown".into())
            );

            let catches = |event: Value, context: Context, callback: Callback| {
                if let Err(error) = throws(event, context, wrap(callback.clone())) {
                    callback.fail(Error::new("Caught", error.message()));
                }
            };
            let outcome = invoke(catches).await;
            assert_eq!(
                (outcome.duplicate_signal_count, failure(outcome)),
                (0, "Caught: thrown".into())
            );

            let awaits = async |event: Value, context: Context, callback: Callback| {
                tokio::task::yield_now().await;
                throws(event, context, wrap(callback))
            };
            let outcome = invoke(awaits).await;
            assert_eq!(
                (outcome.duplicate_signal_count, failure(outcome)),
                (0, "TypeError: thrown".into())
            );

            // Even a wrapper that turns every error into a response does not see a thrown error.
            let responds = |event: Value, context: Context, callback: Callback| {
                let wrapper = Callback::from_fn(move |error, _: Option<Value>| {
                    callback(
                        None,
                        Some(json!({ "statusCode": if error.is_some() { 500 } else { 200 } })),
                    );
                });
                throws(event, context, wrapper)
            };
            let outcome = invoke(responds).await;
            assert_eq!(
                (outcome.duplicate_signal_count, failure(outcome)),
                (0, "TypeError: thrown".into())
            );
        });
    }

    /// In Node, nothing calls the function of a wrapper if the inner handler does not.
    #[test]
    fn is_not_called_when_it_is_dropped_without_a_call() {
        fn forgets(_: Value, _: Context, _callback: Callback) {}
        on_every_flavor(async || {
            let passes_on = |event: Value, context: Context, callback: Callback| {
                forgets(event, context, wrap(callback));
            };
            let message = failure(invoke(passes_on).await);
            let start = "Runtime.CallbackNotCalled: the callback was never called: its last handle";
            assert!(message.starts_with(start), "{message}");
            let null = Runtime::new(passes_on).never_called(NeverCalled::Null);
            let outcome = null.invoke((), Context::default()).await;
            assert_eq!(outcome.result.unwrap(), Value::Null);

            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            let catches = move |event: Value, context: Context, callback: Callback| {
                let (calls, outer) = (Arc::clone(&counted), callback.clone());
                let counts = Callback::from_fn(move |error, result: Option<Value>| {
                    calls.fetch_add(1, SeqCst);
                    outer(error, result);
                });
                if let Err(error) = throws(event, context, counts) {
                    callback.succeed(json!({ "caught": error.message() }));
                }
            };
            let outcome = invoke(catches).await;
            assert_eq!(outcome.duplicate_signal_count, 0);
            assert_eq!(outcome.result.unwrap(), json!({ "caught": "thrown" }));
            assert_eq!(calls.load(SeqCst), 0);
        });
    }

    #[test]
    fn whose_destructor_panics_does_not_fail_the_invocation() {
        on_every_flavor(async || {
            let panics = |_: Value, _: Context, callback: Callback| {
                let held = (callback.clone(), Bomb);
                drop(Callback::from_fn(move |_, _: Option<Value>| drop(held)));
                callback.succeed(json!("first"));
            };
            assert_eq!(invoke(panics).await.result.unwrap(), "first");
            assert_unharmed().await;
        });
    }
}

mod never_called {
    use super::*;

    /// `NeverCalled::Null` must not turn the `Runtime.CallbackNotCalled` error of another callback
    /// into `null`.
    #[test]
    fn does_not_apply_to_the_error_of_another_callback() {
        on_every_flavor(async || {
            let explicit = async |_: Value, _: Context, callback: Callback| {
                let (other, completion) = nodeback::callback::<Value>();
                drop(other);
                callback.settle(completion.await.map(Option::unwrap_or_default));
            };
            let null = Runtime::new(explicit).never_called(NeverCalled::Null);
            let outcome = null.invoke((), Context::default()).await;
            assert!(failure(outcome).starts_with("Runtime.CallbackNotCalled: "));

            let thrown = async |_: Value, _: Context, _: Callback| {
                nodeback::promisify(|other: Callback| drop(other)).await?;
                Ok::<_, Error>(())
            };
            let null = Runtime::new(thrown).never_called(NeverCalled::Null);
            let outcome = null.invoke((), Context::default()).await;
            assert!(failure(outcome).starts_with("Runtime.CallbackNotCalled: "));

            let in_a_task = |_: Value, context: Context, _: Callback| {
                context.spawn(async {
                    nodeback::promisify(|other: Callback| drop(other)).await?;
                    Ok::<_, Error>(())
                });
            };
            let null = Runtime::new(in_a_task).never_called(NeverCalled::Null);
            let outcome = null.invoke((), Context::default()).await;
            assert!(failure(outcome).starts_with("Runtime.CallbackNotCalled: "));
        });
    }

    #[test]
    fn set_to_null_still_fails_with_the_error_of_a_later_task() {
        on_every_flavor(async || {
            let forgets = |_: Value, context: Context, _: Callback| {
                context.spawn(async {
                    set_timeout(Duration::from_millis(2), || {
                        Err::<(), _>(error!("after all"))
                    });
                });
            };
            let null = Runtime::new(forgets).never_called(NeverCalled::Null);
            let outcome = null.invoke((), Context::default()).await;
            assert_eq!(failure(outcome), "Error: after all");
        });
    }
}
