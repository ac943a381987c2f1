//! Specifies the event loop of an invocation: what order its tasks run in, what the response waits for,
//! and which invocation is the current one. Each test runs on every flavor of tokio's runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "common/flavors.rs"]
mod flavors;

use flavors::on_every_flavor;
use nodeback::{
    Callback, Context, Error, Handler, NeverCalled, Outcome, Result, Runtime, UnfinishedTask,
    Value, error, json, set_immediate, set_timeout,
};
use parking_lot::Mutex;
use std::{
    pin::pin,
    sync::{Arc, mpsc},
    task::Poll,
    thread,
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time,
};

const TICK: Duration = Duration::from_millis(4);

/// What happened, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, what: impl ToString) {
        self.0.lock().push(what.to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

async fn invoke<M>(handler: impl Handler<M>) -> Outcome {
    let context = Context::builder().timeout(Duration::from_secs(20)).build();
    nodeback::invoke(handler, json!({}), context).await
}

/// `errorType: errorMessage`.
fn failure(outcome: Outcome) -> String {
    let error = outcome.result.unwrap_err();
    format!("{}: {}", error.error_type(), error.message())
}

/// Responds when it was called as often as there are jobs, with the jobs in the order of the calls.
fn fan_in(jobs: usize, callback: Callback) -> impl Fn(usize) + Clone + Send + 'static {
    let done = Arc::new(Mutex::new(vec![]));
    move |job| {
        let mut done = done.lock();
        done.push(job);
        if done.len() == jobs {
            callback.clone().succeed(json!(*done));
        }
    }
}

mod order {
    use super::*;

    #[test]
    fn ready_tasks_run_first_in_first_out() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                let done = fan_in(100, callback);
                for job in 0..100 {
                    let done = done.clone();
                    context.spawn(async move { done(job) });
                }
            };
            for _ in 0..20 {
                let expected: Vec<usize> = (0..100).collect();
                assert_eq!(invoke(handler).await.result.unwrap(), json!(expected));
            }
        });
    }

    #[test]
    fn timers_of_the_same_time_fire_in_the_order_in_which_they_were_set() {
        on_every_flavor(async || {
            let sleeping = |_: Value, context: Context, callback: Callback| {
                let done = fan_in(8, callback);
                for job in 0..8 {
                    let done = done.clone();
                    context.spawn(async move {
                        time::sleep(TICK).await;
                        done(job);
                    });
                }
            };
            let timeouts = |_: Value, _: Context, callback: Callback| {
                let done = fan_in(8, callback);
                for job in 0..8 {
                    let done = done.clone();
                    set_timeout(TICK, move || done(job));
                }
            };
            for _ in 0..40 {
                let expected = json!([0, 1, 2, 3, 4, 5, 6, 7]);
                assert_eq!(invoke(sleeping).await.result.unwrap(), expected);
                assert_eq!(invoke(timeouts).await.result.unwrap(), expected);
            }
        });
    }

    #[test]
    fn timers_fire_by_their_time_however_they_were_set() {
        on_every_flavor(async || {
            let handler = |_: Value, _: Context, callback: Callback| {
                let done = fan_in(4, callback);
                for (job, ticks) in [(0, 4), (1, 2), (2, 3), (3, 0)] {
                    let done = done.clone();
                    set_timeout(3 * ticks * TICK, move || done(job));
                }
            };
            assert_eq!(invoke(handler).await.result.unwrap(), json!([3, 1, 2, 0]));
        });
    }

    #[test]
    fn a_task_that_is_woken_waits_behind_those_that_are_ready() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, context: Context, callback: Callback| {
                let seen = noted.clone();
                let (go, gone) = oneshot::channel();
                let note = |name: &'static str| {
                    let seen = seen.clone();
                    async move { seen.note(name) }
                };
                let waits = seen.clone();
                context.spawn(async move {
                    gone.await.unwrap();
                    waits.note("woken");
                    callback.succeed(json!(null));
                });
                let wakes = seen.clone();
                context.spawn(async move {
                    go.send(()).unwrap();
                    wakes.note("wakes");
                });
                context.spawn(note("third"));
                context.spawn(note("fourth"));
            };
            assert!(invoke(handler).await.result.is_ok());
            assert_eq!(seen.take(), ["wakes", "third", "fourth", "woken"]);
        });
    }

    #[test]
    fn the_handler_takes_its_turn_like_a_task() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, context: Context, callback: Callback| {
                let seen = noted.clone();
                async move {
                    seen.note("handler");
                    let (one, two) = (seen.clone(), seen.clone());
                    let first = context.spawn(async move { one.note("first") });
                    context.spawn(async move { two.note("second") });
                    first.await;
                    seen.note("handler again");
                    callback.succeed(json!(null));
                }
            };
            assert!(invoke(handler).await.result.is_ok());
            assert_eq!(seen.take(), ["handler", "first", "second", "handler again"]);
        });
    }

    /// `setImmediate` runs after what is ready, and before what an immediate sets itself.
    #[test]
    fn immediates_run_when_nothing_else_is_ready() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, _: Context, callback: Callback| {
                let seen = noted.clone();
                let note = move |name: &'static str| {
                    let seen = seen.clone();
                    move || seen.note(name)
                };
                let (again, task) = (note.clone(), note.clone());
                set_immediate(move || {
                    again("first immediate")();
                    set_immediate(again("immediate of an immediate"));
                    nodeback::spawn({
                        let note = again("task of an immediate");
                        async move { note() }
                    });
                });
                set_immediate(note("second immediate"));
                nodeback::spawn(async move { task("task")() });
                set_immediate(note("third immediate")).abort();
                callback.succeed(json!(null));
            };
            assert!(invoke(handler).await.result.is_ok());
            assert_eq!(
                seen.take(),
                [
                    "task",
                    "first immediate",
                    "task of an immediate",
                    "second immediate",
                    "immediate of an immediate",
                ]
            );
        });
    }

    /// Node's phases: tasks that are ready, then timers that are due, then immediates.
    #[test]
    fn a_timer_that_is_due_fires_before_immediates_and_after_tasks() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, _: Context, callback: Callback| {
                let seen = noted.clone();
                let note = move |name: &'static str| {
                    let seen = seen.clone();
                    move || seen.note(name)
                };
                let (timer, task) = (note("first timer"), note("task of a timer"));
                set_immediate(note("immediate"));
                set_timeout(Duration::ZERO, move || {
                    timer();
                    nodeback::spawn(async move { task() });
                });
                set_timeout(Duration::ZERO, note("second timer"));
                let task = note("task");
                nodeback::spawn(async move { task() });
                // Both timers are due when the handler returns.
                thread::sleep(TICK);
                callback.succeed(json!(null));
            };
            assert!(invoke(handler).await.result.is_ok());
            assert_eq!(
                seen.take(),
                [
                    "task",
                    "first timer",
                    "task of a timer",
                    "second timer",
                    "immediate"
                ]
            );
        });
    }

    #[test]
    fn a_timer_that_is_due_fires_before_an_immediate_of_an_immediate() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, _: Context, callback: Callback| {
                let (timer, first, second) = (noted.clone(), noted.clone(), noted.clone());
                set_immediate(move || {
                    first.note("immediate");
                    set_immediate(move || second.note("immediate of an immediate"));
                    thread::sleep(3 * TICK);
                });
                set_timeout(2 * TICK, move || timer.note("timer"));
                callback.succeed(json!(null));
            };
            assert!(invoke(handler).await.result.is_ok());
            assert_eq!(
                seen.take(),
                ["immediate", "timer", "immediate of an immediate"]
            );
        });
    }

    #[test]
    fn a_handler_that_is_woken_before_it_first_waits_comes_before_what_it_spawns_then() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, context: Context, callback: Callback| {
                let (seen, task) = (noted.clone(), noted.clone());
                async move {
                    let (go, gone) = oneshot::channel();
                    let spawns = async {
                        go.send(()).unwrap();
                        context.spawn(async move { task.note("task") });
                    };
                    let (gone, ()) = futures::join!(gone, spawns);
                    gone.unwrap();
                    seen.note("handler");
                    callback.succeed(json!(null));
                }
            };
            assert!(invoke(handler).await.result.is_ok());
            assert_eq!(seen.take(), ["handler", "task"]);
        });
    }

    #[test]
    fn an_immediate_does_not_starve_behind_a_task_that_is_always_ready() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                let signalled = callback.clone();
                set_immediate(move || callback.succeed(json!("ran")));
                context.spawn(std::future::poll_fn(move |cx| {
                    cx.waker().wake_by_ref();
                    match signalled.is_signalled() {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }
                }));
            };
            assert_eq!(invoke(handler).await.result.unwrap(), "ran");
        });
    }

    /// In a task that is blocked on, tokio's budget is never filled up again.
    #[test]
    fn a_loop_without_any_budget_goes_on() {
        on_every_flavor(async || {
            let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
            for n in 0..1_000 {
                send.send(n).unwrap();
            }
            let mut exhausts = pin!(async { while receive.recv().await.is_some() {} });
            assert!(futures::poll!(exhausts.as_mut()).is_pending());
            let handler = |_: Value, context: Context, callback: Callback| {
                context.spawn(async { nodeback::spawn(async {}).await });
                context.spawn(async move { callback.succeed(json!("done")) });
            };
            let outcome = futures::executor::block_on(invoke(handler));
            assert_eq!(outcome.result.unwrap(), "done");
        });
    }

    #[test]
    fn immediates_without_an_end_let_timers_fire() {
        fn again(callback: Callback) {
            if !callback.is_signalled() {
                set_immediate(move || again(callback));
            }
        }
        on_every_flavor(async || {
            let handler = |_: Value, _: Context, callback: Callback| {
                again(callback.clone());
                set_timeout(TICK, move || callback.succeed(json!("fired")));
            };
            assert_eq!(invoke(handler).await.result.unwrap(), "fired");
        });
    }

    #[test]
    fn a_task_that_is_always_ready_lets_others_run() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                let signalled = callback.clone();
                context.spawn(std::future::poll_fn(move |cx| {
                    cx.waker().wake_by_ref();
                    match signalled.is_signalled() {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }
                }));
                set_timeout(TICK, move || callback.succeed(json!("fired")));
            };
            assert_eq!(invoke(handler).await.result.unwrap(), "fired");
        });
    }

    /// tokio's own channels stop being ready when a task has used up its turn. That alters no order.
    #[test]
    fn a_task_that_uses_up_the_turn_keeps_the_order_of_the_others() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                let done = fan_in(20, callback);
                context.spawn(async {
                    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
                    for n in 0..300 {
                        send.send(n).unwrap();
                    }
                    for _ in 0..300 {
                        receive.recv().await.unwrap();
                    }
                });
                for job in 0..20 {
                    let (done, notify) = (done.clone(), Notify::new());
                    context.spawn(async move {
                        // One that does not ask tokio for anything does not overtake one that does.
                        if job % 2 == 0 {
                            notify.notify_one();
                            notify.notified().await;
                        }
                        done(job);
                    });
                }
            };
            let expected: Vec<usize> = (0..20).collect();
            assert_eq!(invoke(handler).await.result.unwrap(), json!(expected));
        });
    }
}

mod the_response_waits {
    use super::*;

    #[test]
    fn for_what_is_spawned_after_the_callback_was_called() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, context: Context, callback: Callback| {
                let seen = noted.clone();
                async move {
                    callback.succeed(json!("saved"));
                    time::sleep(TICK).await;
                    context.spawn(async move {
                        time::sleep(TICK).await;
                        seen.note("written");
                        let seen = seen.clone();
                        set_timeout(TICK, move || {
                            let seen = seen.clone();
                            set_immediate(move || seen.note("flushed"));
                        });
                    });
                }
            };
            assert_eq!(invoke(handler).await.result.unwrap(), "saved");
            assert_eq!(seen.take(), ["written", "flushed"]);
        });
    }

    #[test]
    fn for_the_error_of_a_task_that_comes_after_the_last_handle_has_gone() {
        on_every_flavor(async || {
            let later = |_: Value, context: Context, _: Callback| {
                context.spawn(async {
                    time::sleep(TICK).await;
                    Err::<(), _>(Error::new("TypeError", "later"))
                });
            };
            assert_eq!(failure(invoke(later).await), "TypeError: later");

            let in_a_timer = |_: Value, _: Context, _: Callback| {
                set_timeout(TICK, || -> Result<()> { Err(error!("in a timer")) });
            };
            assert_eq!(failure(invoke(in_a_timer).await), "Error: in a timer");

            let panics = |_: Value, context: Context, callback: Callback| {
                context.spawn_blocking(move || {
                    drop(callback);
                    panic!("on a thread")
                });
            };
            assert_eq!(failure(invoke(panics).await), "Runtime.Panic: on a thread");
        });
    }

    #[test]
    fn until_the_loop_is_empty_before_it_says_that_nobody_called() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, context: Context, callback: Callback| {
                drop(callback);
                let seen = noted.clone();
                context.spawn(async move {
                    time::sleep(TICK).await;
                    seen.note("written");
                });
            };
            let fails = Runtime::new(handler.clone());
            let outcome = fails.invoke((), Context::default()).await;
            let message = failure(outcome);
            assert!(
                message.starts_with("Runtime.CallbackNotCalled: "),
                "{message}"
            );
            assert_eq!(seen.take(), ["written"]);

            let null = Runtime::new(handler).never_called(NeverCalled::Null);
            let outcome = null.invoke((), Context::default()).await;
            assert_eq!(outcome.result.unwrap(), Value::Null);
            assert_eq!(seen.take(), ["written"]);
        });
    }

    #[test]
    fn for_a_task_that_another_thread_adds_when_the_loop_is_empty() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                drop(callback);
                thread::spawn(move || {
                    thread::yield_now();
                    context.spawn(async move {
                        time::sleep(TICK).await;
                        Context::current().unwrap().succeed("from the last task");
                    });
                });
            };
            for _ in 0..50 {
                assert_eq!(invoke(handler).await.result.unwrap(), "from the last task");
            }
        });
    }

    /// Work of `wait_until` could still spawn what signals, or fails for a better reason.
    #[test]
    fn for_work_of_wait_until_before_it_says_that_nobody_called() {
        on_every_flavor(async || {
            let better = |_: Value, context: Context, callback: Callback| {
                let thread = thread::spawn(move || drop(callback));
                context.wait_until(async move {
                    time::sleep(TICK).await;
                    thread.join().unwrap();
                    nodeback::spawn(async { Err::<(), _>("better") });
                });
            };
            assert_eq!(failure(invoke(better).await), "string: better");
            let signals = |_: Value, context: Context, _: Callback| {
                context.wait_until(async {
                    time::sleep(TICK).await;
                    Context::current().unwrap().succeed(7);
                });
            };
            assert_eq!(invoke(signals).await.result.unwrap(), 7);
        });
    }

    #[test]
    fn for_a_blocking_function_from_the_moment_it_is_spawned() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                tokio::spawn(async move {
                    context.spawn_blocking(move || {
                        callback.succeed(json!("deferred"));
                        thread::yield_now();
                        Err::<(), _>("the end of the function")
                    });
                });
            };
            for _ in 0..200 {
                let message = failure(invoke(handler).await);
                assert_eq!(message, "string: the end of the function");
            }
        });
    }

    #[test]
    fn for_nothing_once_an_error_or_the_context_has_signalled() {
        on_every_flavor(async || {
            let forever = std::future::pending::<()>;
            let fails = move |_: Value, context: Context, callback: Callback| {
                context.spawn(forever());
                callback.fail("at once");
            };
            let outcome = invoke(fails).await;
            assert!(matches!(
                *outcome.unfinished_tasks,
                [UnfinishedTask::Spawned { .. }]
            ));
            assert_eq!(failure(outcome), "string: at once");

            let done = move |_: Value, context: Context, _: Callback| {
                context.spawn(forever());
                let task = context.clone();
                context.spawn(async move { task.succeed("at once") });
            };
            assert_eq!(invoke(done).await.result.unwrap(), "at once");
        });
    }
}

mod a_signal_and_a_failure {
    use super::*;

    #[test]
    fn of_one_task_count_in_their_order() {
        on_every_flavor(async || {
            let handler = |event: Value, context: Context, callback: Callback| {
                context.spawn(async move {
                    match event.as_str() {
                        Some("error") => callback.fail("first"),
                        Some("context") => Context::current().unwrap().succeed("first"),
                        _ => callback.succeed(json!("deferred")),
                    }
                    Err::<(), _>("second")
                });
            };
            let invoke = async |event| {
                let outcome = nodeback::invoke(handler, event, Context::default()).await;
                outcome.result.map_err(|error| error.message().to_owned())
            };
            assert_eq!(invoke("error").await, Err("first".into()));
            assert_eq!(invoke("context").await, Ok(json!("first")));
            // A success that waits gives way to an error, as in Node.
            assert_eq!(invoke("deferred").await, Err("second".into()));
        });
    }

    #[test]
    fn of_two_tasks_count_in_the_order_of_the_tasks() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.spawn(async { Err::<(), _>("first") });
                context.spawn(async move { callback.fail("second") });
            };
            assert_eq!(failure(invoke(handler).await), "string: first");
        });
    }
}

mod the_current_invocation {
    use super::*;

    fn id() -> String {
        Context::current().map_or("none".into(), |context| context.aws_request_id.clone())
    }

    #[test]
    fn is_that_of_whatever_code_runs() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, context: Context, callback: Callback| {
                let seen = noted.clone();
                async move {
                    seen.note(format!("handler {}", id()));
                    time::sleep(TICK).await;
                    seen.note(format!("future {}", id()));
                    let note = |name: &'static str| {
                        let seen = seen.clone();
                        move || seen.note(format!("{name} {}", id()))
                    };
                    let task = note("task");
                    context.spawn(async move { task() }).await;
                    context.spawn_blocking(note("blocking")).await;
                    set_timeout(TICK, note("timer")).await;
                    set_immediate(note("immediate")).await;
                    let other = note("another task of tokio");
                    tokio::spawn(async move { other() }).await.unwrap();
                    thread::spawn(note("thread")).join().unwrap();
                    callback.succeed(json!(null));
                }
            };
            let context = Context::builder().aws_request_id("7").build();
            let outcome = nodeback::invoke(handler, json!({}), context).await;
            assert!(outcome.result.is_ok());
            assert_eq!(
                seen.take(),
                [
                    "handler 7",
                    "future 7",
                    "task 7",
                    "blocking 7",
                    "timer 7",
                    "immediate 7",
                    "another task of tokio none",
                    "thread none",
                ]
            );
            assert_eq!(id(), "none");
        });
    }

    #[test]
    fn is_each_tasks_own_when_two_run_beside_each_other() {
        on_every_flavor(async || {
            let handler = async |_: Value, _: Context| {
                let mut ids = vec![];
                for _ in 0..5 {
                    time::sleep(Duration::from_millis(1)).await;
                    ids.push(id());
                }
                Ok::<_, Error>(ids)
            };
            let run = async |name: &str| {
                let context = Context::builder().aws_request_id(name).build();
                nodeback::invoke(handler, json!({}), context)
                    .await
                    .result
                    .unwrap()
            };
            let (one, two) = futures::join!(run("one"), run("two"));
            assert_eq!(one, json!(vec!["one"; 5]));
            assert_eq!(two, json!(vec!["two"; 5]));
        });
    }

    #[test]
    fn is_the_outer_one_again_after_one_within() {
        on_every_flavor(async || {
            let handler = async |_: Value, _: Context| {
                let inner = async |_: Value, _: Context| Ok::<_, Error>(id());
                let context = Context::builder().aws_request_id("inner").build();
                let within = nodeback::invoke(inner, json!({}), context).await;
                Ok::<_, Error>(json!([within.result?, id()]))
            };
            let context = Context::builder().aws_request_id("outer").build();
            let outcome = nodeback::invoke(handler, json!({}), context).await;
            assert_eq!(outcome.result.unwrap(), json!(["inner", "outer"]));
        });
    }

    #[test]
    fn is_none_again_after_a_panic() {
        on_every_flavor(async || {
            let panics = |_: Value, _: Context, _: Callback| panic!("boom");
            assert_eq!(failure(invoke(panics).await), "Runtime.Panic: boom");
            assert_eq!(id(), "none");
        });
    }

    #[test]
    fn signals_like_any_context_until_the_response_is_out() {
        on_every_flavor(async || {
            let (late, told) = mpsc::channel();
            let handler = move |_: Value, context: Context, callback: Callback| {
                drop((context, callback));
                let late = late.clone();
                set_timeout(TICK, move || {
                    let context = Context::current().unwrap();
                    context.set_callback_waits_for_empty_event_loop(false);
                    context.succeed("from a helper");
                    nodeback::spawn(async move {
                        time::sleep(TICK).await;
                        let context = Context::current().unwrap();
                        context.succeed("too late");
                        let signalled = context.done_callback::<u8>().is_signalled();
                        late.send((context.aws_request_id.clone(), signalled))
                            .unwrap();
                    });
                });
            };
            let context = Context::builder().aws_request_id("7").build();
            let outcome = nodeback::invoke(handler, json!({}), context).await;
            assert_eq!(outcome.result.unwrap(), "from a helper");
            let told = tokio::task::spawn_blocking(move || told.recv().unwrap());
            assert_eq!(told.await.unwrap(), ("7".into(), true));
        });
    }

    /// A client calls back from a task of its own, where no invocation is the current one.
    #[test]
    fn is_taken_along_where_somebody_elses_task_calls_back() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                tokio::spawn(async move {
                    callback.succeed(json!("deferred"));
                    context.set_immediate(|| ());
                    context.set_timeout(TICK, || Err::<(), _>(error!("later")));
                });
            };
            for _ in 0..20 {
                // Unless the response is out before the timer is set.
                let outcome = invoke(handler).await;
                assert!(outcome.result.is_ok() || failure(outcome) == "Error: later");
            }
            let handler = |_: Value, context: Context, callback: Callback| {
                tokio::spawn(async move {
                    context.set_timeout(TICK, || Err::<(), _>(error!("later")));
                    callback.succeed(json!("deferred"));
                });
            };
            for _ in 0..20 {
                assert_eq!(failure(invoke(handler).await), "Error: later");
            }
        });
    }

    #[test]
    fn is_not_needed_to_spawn() {
        on_every_flavor(async || {
            let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
            let (task, timer) = (done.clone(), done);
            nodeback::spawn(async move {
                assert!(Context::current().is_none());
                task.send("task").map_err(|error| error.to_string())
            });
            set_timeout(TICK, move || {
                timer.send("timer").map_err(|error| error.to_string())
            });
            assert_eq!(finished.recv().await, Some("task"));
            assert_eq!(finished.recv().await, Some("timer"));
        });
    }
}

mod a_task {
    use super::*;

    #[test]
    fn can_be_awaited_by_another_and_aborted_from_anywhere() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                let (started, waits) = oneshot::channel();
                let hangs = context.spawn(async move {
                    started.send(()).unwrap();
                    std::future::pending::<()>().await;
                });
                context.spawn(async move {
                    waits.await.unwrap();
                    let hangs = thread::spawn(move || {
                        hangs.abort();
                        hangs
                    });
                    let mut hangs = hangs.join().unwrap();
                    (&mut hangs).await;
                    assert!(hangs.is_finished());
                    callback.succeed(json!("aborted"));
                });
            };
            assert_eq!(invoke(handler).await.result.unwrap(), "aborted");
        });
    }

    #[test]
    fn that_aborts_itself_goes_on_to_its_next_await_and_no_further() {
        on_every_flavor(async || {
            let seen = Seen::default();
            let noted = seen.clone();
            let handler = move |_: Value, context: Context, callback: Callback| {
                let seen = noted.clone();
                let (this, itself) = oneshot::channel::<nodeback::Task>();
                let task = context.spawn(async move {
                    let this = itself.await.unwrap();
                    this.abort();
                    seen.note("to the next await");
                    std::future::pending::<()>().await;
                });
                this.send(task).unwrap();
                callback.succeed(json!("yes"));
            };
            assert_eq!(invoke(handler).await.result.unwrap(), "yes");
            assert_eq!(seen.take(), ["to the next await"]);
        });
    }

    #[test]
    fn that_is_over_is_not_mistaken_for_one_that_came_after_it() {
        on_every_flavor(async || {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.clone().spawn(async move {
                    let mut first = context.spawn(async {});
                    (&mut first).await;
                    let second = context.spawn(async move {
                        time::sleep(TICK).await;
                        callback.succeed(json!("it ran"));
                    });
                    first.abort();
                    assert!(first.is_finished() && !second.is_finished());
                });
            };
            assert_eq!(invoke(handler).await.result.unwrap(), "it ran");
        });
    }
}

mod after_the_response {
    use super::*;

    #[test]
    fn what_runs_on_keeps_its_order_and_its_invocation() {
        on_every_flavor(async || {
            let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
            let handler = move |_: Value, context: Context, callback: Callback| {
                context.set_callback_waits_for_empty_event_loop(false);
                for job in 0..8 {
                    let done = done.clone();
                    context.spawn(async move {
                        time::sleep(TICK).await;
                        let id = Context::current().unwrap().aws_request_id.clone();
                        done.send((job, id)).unwrap();
                    });
                }
                callback.succeed(json!("sent"));
            };
            for _ in 0..10 {
                let context = Context::builder().aws_request_id("7").build();
                let outcome = nodeback::invoke(handler.clone(), json!({}), context).await;
                assert_eq!(outcome.result.unwrap(), "sent");
                assert_eq!(outcome.unfinished_tasks.len(), 8);
                for job in 0..8 {
                    assert_eq!(finished.recv().await, Some((job, "7".into())));
                }
            }
        });
    }

    #[test]
    fn a_context_that_is_kept_still_spawns() {
        on_every_flavor(async || {
            let (context, kept) = mpsc::channel();
            let handler = move |_: Value, kept: Context, callback: Callback| {
                context.send(kept).unwrap();
                callback.succeed(json!(null));
            };
            assert!(invoke(handler).await.result.is_ok());
            let context = kept.recv().unwrap();
            for _ in 0..3 {
                let (done, finished) = oneshot::channel();
                let mut task = pin!(context.spawn(async move {
                    time::sleep(TICK).await;
                    done.send(()).unwrap();
                }));
                finished.await.unwrap();
                task.as_mut().await;
                assert!(task.is_finished());
            }
        });
    }

    #[test]
    fn a_context_from_outside_of_tokio_spawns_inside() {
        let context = Context::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (done, finished) = oneshot::channel();
            context.spawn(async move { done.send(()).unwrap() }).await;
            finished.await.unwrap();
            let (done, finished) = oneshot::channel();
            let blocking = context.spawn_blocking(move || done.send(()).unwrap());
            assert!(!blocking.is_finished());
            finished.await.unwrap();
            blocking.await;
        });
    }

    /// What is dropped with a runtime is dropped as code of its invocation, and ends its tasks.
    #[test]
    fn the_end_of_the_runtime_ends_what_is_left() {
        struct Noted(Seen);
        impl Drop for Noted {
            fn drop(&mut self) {
                self.0
                    .note(Context::current().map_or("none".into(), |c| c.aws_request_id.clone()));
                nodeback::spawn(async {});
            }
        }
        let seen = Seen::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (tasks, kept) = mpsc::channel();
        let handler = {
            let seen = seen.clone();
            move |_: Value, context: Context, callback: Callback| {
                context.set_callback_waits_for_empty_event_loop(false);
                let noted = Noted(seen.clone());
                let task = context.spawn(async move {
                    let _noted = noted;
                    std::future::pending::<()>().await;
                });
                tasks.send(task).unwrap();
                callback.succeed(json!(null));
            }
        };
        let context = Context::builder().aws_request_id("7").build();
        assert!(
            runtime
                .block_on(nodeback::invoke(handler, json!({}), context))
                .result
                .is_ok()
        );
        drop(runtime);
        assert_eq!(seen.take(), ["7"]);
        let task = kept.recv().unwrap();
        assert!(task.is_finished());
        futures::executor::block_on(task);
    }
}
