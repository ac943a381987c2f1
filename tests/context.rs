//! Specifies the context: its members, its clock, and the event loop that its tasks make up.
//!
//! The clock is paused: a test in which nothing can run on takes no time, and measures it exactly.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::Log;
use nodeback::{
    Callback, CognitoIdentity, Context, Error, Handler, Outcome, Task, UnfinishedTask, Value,
    error, json,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::oneshot,
    task,
    time::{self, Instant},
};

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(3);
/// The deadline less the gap in which the answer is still sent.
const CUT_OFF: Duration = Duration::from_millis(2_950);

async fn second() {
    time::sleep(SECOND).await;
}

fn boom() {
    panic!("boom")
}

async fn forever() {
    std::future::pending().await
}

/// Runs a handler, and tells how long that took.
async fn timed<M>(handler: impl Handler<M>) -> (Outcome, Duration) {
    let started = Instant::now();
    let context = Context::builder().aws_request_id("request-7").build();
    let outcome = nodeback::invoke(handler, json!({}), context).await;
    (outcome, started.elapsed())
}

/// What a handler answers with, and after how long.
async fn answer<M>(handler: impl Handler<M>) -> (Result<Value, String>, Duration) {
    let (outcome, elapsed) = timed(handler).await;
    (outcome.result.map_err(|e| e.message().into()), elapsed)
}

fn failed(message: &str) -> Result<Value, String> {
    Err(message.into())
}

/// The start of a place in this file, up to its column.
fn line(line: u32) -> String {
    format!("{}:{line}:", file!())
}

fn since_1970() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}

mod members {
    use super::*;

    #[test]
    fn are_plausible_unless_they_are_set() {
        let context = Context::default();
        assert_eq!(context.function_name, "function");
        assert_eq!(context.function_version, "$LATEST");
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:function";
        assert_eq!(context.invoked_function_arn, arn);
        assert_eq!(context.memory_limit_in_mb, "128");
        let id = "00000000-0000-4000-8000-000000000000";
        assert_eq!(context.aws_request_id, id);
        assert_eq!(context.log_group_name, "/aws/lambda/function");
        assert_eq!(context.log_stream_name, "stream");
        assert_eq!(context.identity, None);
        assert_eq!(context.client_context, None);
        assert_eq!(context.tenant_id, None);
        assert_eq!(context.xray_trace_id, None);
        assert!(context.callback_waits_for_empty_event_loop());
    }

    #[tokio::test]
    async fn reach_the_handler_as_they_were_set() {
        let identity: CognitoIdentity = serde_json::from_value(
            json!({ "cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool" }),
        )
        .unwrap();
        let built = Context::builder()
            .function_name("orders")
            .function_version("7")
            .invoked_function_arn("arn")
            .memory_limit_in_mb("256")
            .aws_request_id("request")
            .log_group_name("group")
            .log_stream_name("stream-7")
            .identity(identity)
            .client_context(json!({ "custom": { "k": "v" } }))
            .tenant_id("tenant".to_string())
            .xray_trace_id("Root=1".to_string())
            .build();
        let (members, seen) = mpsc::channel();
        let handler = move |_: Value, context: Context, callback: Callback| {
            members.send((*context).clone()).unwrap();
            callback(None, None);
        };
        let outcome = nodeback::invoke(handler, json!({}), built.clone()).await;
        assert!(outcome.result.is_ok());
        let seen = seen.recv().unwrap();
        assert_eq!(seen, *built);
        assert_eq!(seen.function_name, "orders");
        assert_eq!(seen.function_version, "7");
        assert_eq!(seen.invoked_function_arn, "arn");
        assert_eq!(seen.memory_limit_in_mb, "256");
        assert_eq!(seen.aws_request_id, "request");
        assert_eq!(seen.log_group_name, "group");
        assert_eq!(seen.log_stream_name, "stream-7");
        assert_eq!(seen.identity.unwrap().cognito_identity_id, "id");
        assert_eq!(seen.client_context.unwrap()["custom"]["k"], "v");
        assert_eq!(seen.tenant_id.unwrap(), "tenant");
        assert_eq!(seen.xray_trace_id.unwrap(), "Root=1");
    }

    #[tokio::test]
    async fn stand_in_the_span_of_every_line_the_handler_logs() {
        let log = Log::start();
        let context = Context::builder()
            .aws_request_id("request-7")
            .tenant_id("tenant".to_string())
            .xray_trace_id("Root=1".to_string())
            .build();
        let handler = async |_: Value, context: Context, callback: Callback| {
            tracing::warn!("from the handler");
            task::yield_now().await;
            tracing::warn!("from its future");
            context.spawn(async { tracing::warn!("from a task") });
            callback(None, None);
        };
        nodeback::invoke(handler, json!({}), context).await;
        let lines = log.warnings();
        assert_eq!(lines.len(), 3);
        for line in lines {
            assert_eq!(line.fields["requestId"], "request-7");
            assert_eq!(line.fields["tenantId"], "tenant");
            assert_eq!(line.fields["xrayTraceId"], "Root=1");
        }
    }
}

mod remaining_time {
    use super::*;

    /// What Lambda allows at most: what is left when nothing is known.
    const LONGEST: i64 = 15 * 60 * 1_000;

    #[tokio::test(start_paused = true)]
    async fn counts_down_and_goes_below_zero() {
        let context = Context::builder().timeout(10 * SECOND).build();
        assert_eq!(context.get_remaining_time_in_millis(), 10_000);
        time::advance(4 * SECOND).await;
        assert_eq!(context.get_remaining_time_in_millis(), 6_000);
        time::advance(10 * SECOND).await;
        assert_eq!(context.get_remaining_time_in_millis(), -4_000);
    }

    #[tokio::test(start_paused = true)]
    async fn starts_with_the_invocation_and_not_with_the_builder() {
        let context = Context::builder().timeout(10 * SECOND).build();
        time::advance(4 * SECOND).await;
        let handler = async |_: Value, context: Context| {
            Ok::<_, Error>(context.get_remaining_time_in_millis())
        };
        let outcome = nodeback::invoke(handler, json!({}), context).await;
        assert_eq!(outcome.result.unwrap(), 10_000);
    }

    #[tokio::test(start_paused = true)]
    async fn follows_a_deadline() {
        let before = since_1970();
        let context = Context::builder().deadline_ms(before + 10_000).build();
        let left = context.get_remaining_time_in_millis();
        let passed = i64::try_from(since_1970() - before).unwrap();
        assert!((10_000 - passed - 1..=10_000).contains(&left), "{left}");
    }

    #[tokio::test(start_paused = true)]
    async fn is_negative_after_a_deadline_that_has_just_passed() {
        let context = Context::builder().deadline_ms(since_1970() - 5_000);
        assert!(context.clone().build().get_remaining_time_in_millis() <= -4_999);

        let handler = async |_: Value| {
            forever().await;
            Ok::<_, Error>(())
        };
        let outcome = nodeback::invoke(handler, json!({}), context.build()).await;
        assert_eq!(outcome.result.unwrap_err().error_type(), "Sandbox.Timedout");
    }

    #[tokio::test(start_paused = true)]
    async fn is_unknown_without_a_deadline_or_with_one_long_past() {
        let ten_minutes_after_1970 = 600_000;
        let builder = Context::builder;
        for unknown in [
            builder().timeout(Duration::ZERO),
            builder().deadline_ms(0),
            builder().deadline_ms(ten_minutes_after_1970),
        ] {
            let context = unknown.build();
            assert_eq!(context.get_remaining_time_in_millis(), LONGEST);
            time::advance(SECOND).await;
            assert_eq!(context.get_remaining_time_in_millis(), LONGEST - 1_000);

            let handler = async |_: Value| {
                time::sleep(20 * 60 * SECOND).await;
                Ok::<_, Error>("never cut off")
            };
            let outcome = nodeback::invoke(handler, json!({}), context).await;
            assert_eq!(outcome.result.unwrap(), "never cut off");
        }
    }
}

mod success {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_tasks() {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(second());
            callback.succeed(json!("held"));
        };
        assert_eq!(answer(handler).await, (Ok(json!("held")), SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_tasks_of_tasks() {
        let handler = |_: Value, context: Context, callback: Callback| {
            let inner = context.clone();
            context.spawn(async move {
                second().await;
                inner.spawn(second());
            });
            callback.succeed(json!("held"));
        };
        assert_eq!(answer(handler).await, (Ok(json!("held")), 2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_rest_of_the_handler() {
        let handler = async |_: Value, _: Context, callback: Callback| {
            callback.succeed(json!("held"));
            second().await;
        };
        assert_eq!(answer(handler).await, (Ok(json!("held")), SECOND));
    }

    #[tokio::test]
    async fn waits_for_a_blocking_task() {
        let (order, events) = mpsc::channel();
        let handler = move |_: Value, context: Context, callback: Callback| {
            let (go, gone) = mpsc::channel();
            let (blocking, task) = (order.clone(), order.clone());
            context.spawn_blocking(move || {
                gone.recv().unwrap();
                blocking.send("the blocking task ended").unwrap();
            });
            callback(None, Some(json!("held")));
            task::spawn(async move {
                task.send("signalled").unwrap();
                go.send(()).unwrap();
            });
        };
        assert_eq!(answer(handler).await.0, Ok(json!("held")));
        let events: Vec<_> = events.try_iter().collect();
        assert_eq!(events, ["signalled", "the blocking task ended"]);
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_wait_for_what_was_not_spawned_through_the_context() {
        let handler = |_: Value, _: Context, callback: Callback| {
            task::spawn(forever());
            callback.succeed(json!("at once"));
        };
        assert_eq!(
            answer(handler).await,
            (Ok(json!("at once")), Duration::ZERO)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn is_sent_at_once_with_the_flag_off_and_the_tasks_run_on() {
        let ran_on = Arc::new(AtomicBool::new(false));
        let ran = Arc::clone(&ran_on);
        let handler = move |_: Value, context: Context, callback: Callback| {
            let ran = Arc::clone(&ran);
            context.set_callback_waits_for_empty_event_loop(false);
            assert!(!context.callback_waits_for_empty_event_loop());
            context.spawn(async move {
                second().await;
                ran.store(true, SeqCst);
            });
            callback.succeed(json!("at once"));
        };
        let (outcome, elapsed) = timed(handler).await;
        assert_eq!(outcome.result.unwrap(), "at once");
        assert_eq!(elapsed, Duration::ZERO);
        assert!(!ran_on.load(SeqCst));
        time::sleep(SECOND * 2).await;
        assert!(ran_on.load(SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn goes_by_the_flag_as_it_stands_at_the_call() {
        let set_after = |_: Value, context: Context, callback: Callback| {
            context.spawn(second());
            callback.succeed(json!("held"));
            context.set_callback_waits_for_empty_event_loop(false);
        };
        assert_eq!(answer(set_after).await, (Ok(json!("held")), SECOND));

        let reset_after = |_: Value, context: Context, callback: Callback| {
            context.spawn(second());
            context.set_callback_waits_for_empty_event_loop(false);
            callback.succeed(json!("at once"));
            context.set_callback_waits_for_empty_event_loop(true);
        };
        let at_once = (Ok(json!("at once")), Duration::ZERO);
        assert_eq!(answer(reset_after).await, at_once);
    }

    #[tokio::test(start_paused = true)]
    async fn flag_is_of_one_invocation() {
        let context = Context::default();
        context.set_callback_waits_for_empty_event_loop(false);
        let handler = |_: Value, context: Context, callback: Callback| {
            callback.succeed(json!(context.callback_waits_for_empty_event_loop()));
        };
        let outcome = nodeback::invoke(handler, json!({}), context).await;
        assert_eq!(outcome.result.unwrap(), true);
    }

    #[tokio::test(start_paused = true)]
    async fn is_replaced_by_the_failure_of_a_task_while_it_waits() {
        let fails = |_: Value, context: Context, callback: Callback| {
            context.spawn(async {
                second().await;
                Err::<(), _>("unhandled")
            });
            context.spawn(forever());
            callback.succeed(json!("held"));
        };
        assert_eq!(answer(fails).await, (failed("unhandled"), SECOND));

        let panics = |_: Value, context: Context, callback: Callback| {
            context.spawn(async {
                second().await;
                panic!("boom");
            });
            context.spawn(forever());
            callback.succeed(json!("held"));
        };
        let (outcome, elapsed) = timed(panics).await;
        let error = outcome.result.unwrap_err();
        assert_eq!((error.error_type(), elapsed), ("Runtime.Panic", SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn is_replaced_by_a_panic_in_the_rest_of_the_handler() {
        let handler = async |_: Value, _: Context, callback: Callback| {
            callback.succeed(json!("held"));
            second().await;
            boom();
        };
        assert_eq!(answer(handler).await, (failed("boom"), SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn is_sent_without_what_does_not_end_before_the_deadline() {
        let log = Log::start();
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(forever());
            callback.succeed(json!("in time"));
        };
        let spawned = line!() - 3;
        assert_eq!(answer(handler).await, (Ok(json!("in time")), CUT_OFF));
        let cut_off = &log.warnings()[0];
        let named = format!("the task spawned at {}", line(spawned));
        assert!(cut_off.message.contains(&named), "{cut_off:?}");
        assert_eq!(cut_off.fields["requestId"], "request-7");
    }
}

mod at_once {
    use super::*;

    /// `signal` after a task was spawned that never ends.
    async fn beside_a_task(
        signal: impl Fn(Context, Callback) + Send + Sync + 'static,
    ) -> Result<Value, String> {
        let handler = move |_: Value, context: Context, callback: Callback| {
            context.spawn(forever());
            signal(context, callback);
        };
        let (outcome, elapsed) = timed(handler).await;
        assert_eq!(elapsed, Duration::ZERO);
        assert_eq!(outcome.unfinished_tasks.len(), 1);
        outcome.result.map_err(|error| error.message().into())
    }

    #[tokio::test(start_paused = true)]
    async fn errors_of_the_callback() {
        let answer = beside_a_task(|_, callback| callback.fail("no")).await;
        assert_eq!(answer, failed("no"));
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_succeed_fail_and_done() {
        let answer = beside_a_task(|context, _| context.succeed("yes")).await;
        assert_eq!(answer, Ok(json!("yes")));
        let answer = beside_a_task(|context, _| context.fail("no")).await;
        assert_eq!(answer, failed("no"));
        let answer = beside_a_task(|context, _| context.fail(())).await;
        assert_eq!(answer, failed("handled"));
        let answer = beside_a_task(|context, _| context.done(None, Some(json!("yes")))).await;
        assert_eq!(answer, Ok(json!("yes")));
        let answer = beside_a_task(|context, _| context.done(Some(error!("no")), None)).await;
        assert_eq!(answer, failed("no"));
    }

    #[tokio::test(start_paused = true)]
    async fn done_as_a_function_value() {
        let answer = beside_a_task(|context, _| {
            context.done_callback().into_once()(Ok::<_, Error>("yes"));
        });
        assert_eq!(answer.await, Ok(json!("yes")));
        let answer = beside_a_task(|context, _| {
            let done = context.done_callback();
            done.clone()(None, Some("yes"));
        });
        assert_eq!(answer.await, Ok(json!("yes")));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_tasks_before_any_signal() {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(async { Err::<(), _>("unhandled") });
            context.spawn(async move {
                forever().await;
                callback(None, None);
            });
        };
        assert_eq!(answer(handler).await, (failed("unhandled"), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_async_handler_returns() {
        let handler = async |_: Value, context: Context| {
            context.spawn(forever());
            Ok::<_, Error>("returned")
        };
        let (outcome, elapsed) = timed(handler).await;
        assert_eq!(outcome.result.unwrap(), "returned");
        assert_eq!(
            (outcome.unfinished_tasks.len(), elapsed),
            (1, Duration::ZERO)
        );
    }
}

mod return_without_content {
    use super::*;

    #[tokio::test]
    async fn after_a_signal_of_the_context_is_no_second_signal() {
        let handler = async |_: Value, context: Context| {
            context.succeed("first");
            Ok::<(), Error>(())
        };
        let (outcome, _) = timed(handler).await;
        assert_eq!(outcome.result.unwrap(), "first");
        assert_eq!(outcome.duplicate_signal_count, 0);
    }
}

mod leftover {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_a_task_by_the_place_of_its_spawn() {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.set_callback_waits_for_empty_event_loop(false);
            context.spawn(forever());
            callback(None, None);
        };
        let spawned = line!() - 3;
        let (outcome, _) = timed(handler).await;
        assert!(matches!(
            outcome.unfinished_tasks[..],
            [UnfinishedTask::Spawned { .. }]
        ));
        let name = outcome.unfinished_tasks[0].to_string();
        let start = format!("task spawned at {}", line(spawned));
        assert!(name.starts_with(&start), "{name}");
    }

    #[tokio::test(start_paused = true)]
    async fn names_the_rest_of_the_handler_which_runs_on() {
        let (ended, end) = oneshot::channel();
        let ended = parking_lot::Mutex::new(Some(ended));
        let handler = move |_: Value, context: Context, callback: Callback| {
            let ended = ended.lock().take();
            async move {
                context.set_callback_waits_for_empty_event_loop(false);
                callback(None, None);
                second().await;
                ended.unwrap().send(()).unwrap();
            }
        };
        let (outcome, elapsed) = timed(handler).await;
        assert_eq!(elapsed, Duration::ZERO);
        assert_eq!(outcome.unfinished_tasks, [UnfinishedTask::Handler]);
        assert_eq!(UnfinishedTask::Handler.to_string(), "rest of the handler");
        end.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn failure_after_the_answer_is_logged_once_and_alters_nothing() {
        let log = Log::start();
        let handler = |_: Value, context: Context, callback: Callback| {
            context.set_callback_waits_for_empty_event_loop(false);
            context.spawn(async {
                second().await;
                Err::<(), _>("too late")
            });
            callback.succeed(json!("at once"));
        };
        let spawned = line!() - 6;
        let (outcome, _) = timed(handler).await;
        assert_eq!(outcome.result.unwrap(), "at once");
        assert!(log.errors().is_empty());

        time::sleep(2 * SECOND).await;
        let errors = log.errors();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].message.contains(&line(spawned)), "{errors:?}");
        assert!(errors[0].message.contains("too late"), "{errors:?}");
        assert_eq!(errors[0].fields["requestId"], "request-7");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_after_the_answer_is_logged_once_and_alters_nothing() {
        let log = Log::start();
        let handler = async |_: Value, context: Context, callback: Callback| {
            context.set_callback_waits_for_empty_event_loop(false);
            callback.succeed(json!("at once"));
            second().await;
            boom();
        };
        let (outcome, _) = timed(handler).await;
        assert_eq!(outcome.result.unwrap(), "at once");
        time::sleep(2 * SECOND).await;
        let errors = log.errors();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].message.contains("boom"), "{errors:?}");
        assert_eq!(errors[0].fields["requestId"], "request-7");
    }
}

mod wait_until {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn is_awaited_after_the_answer_before_the_next_event() {
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let handler = move |_: Value, context: Context, callback: Callback| {
            let end = Arc::clone(&end);
            context.wait_until(async move {
                second().await;
                end.store(true, SeqCst);
            });
            callback.succeed(json!("first"));
        };
        let (outcome, elapsed) = timed(handler).await;
        assert_eq!((outcome.result.unwrap(), elapsed), (json!("first"), SECOND));
        assert!(ended.load(SeqCst) && outcome.unfinished_tasks.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_hold_the_answer_back() {
        let log = Log::start();
        let handler = |_: Value, context: Context, _: Callback| {
            context.wait_until(second());
            context.fail("no");
        };
        let answered = async {
            let mut elapsed = Duration::ZERO;
            while log.errors().is_empty() {
                time::sleep(Duration::from_millis(1)).await;
                elapsed += Duration::from_millis(1);
            }
            elapsed
        };
        let ((answer, finished), answered) = tokio::join!(answer(handler), answered);
        assert_eq!((answer, finished), (failed("no"), SECOND));
        assert!(answered < SECOND / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_logged_and_never_alters_the_answer() {
        let log = Log::start();
        let handler = |_: Value, context: Context, callback: Callback| {
            context.wait_until(async { Err::<(), _>("metrics are down") });
            context.spawn(second());
            callback.succeed(json!("yes"));
        };
        let wait_until = line!() - 4;
        assert_eq!(answer(handler).await, (Ok(json!("yes")), SECOND));
        let errors = log.errors();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].message.contains("metrics are down"), "{errors:?}");
        assert!(errors[0].message.contains(&line(wait_until)), "{errors:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn is_cut_off_before_the_deadline_and_named() {
        let log = Log::start();
        let handler = |_: Value, context: Context, callback: Callback| {
            context.wait_until(forever());
            callback.succeed(json!("yes"));
        };
        let wait_until = line!() - 3;
        assert_eq!(answer(handler).await, (Ok(json!("yes")), CUT_OFF));
        let cut_off = &log.warnings()[0];
        let named = format!("the work passed to wait_until at {}", line(wait_until));
        assert!(cut_off.message.contains(&named), "{cut_off:?}");
        assert_eq!(cut_off.fields["requestId"], "request-7");
    }
}

mod deadline {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn fails_what_has_not_answered_and_names_what_it_cuts_off() {
        let log = Log::start();
        let handler = async |_: Value, context: Context, _callback: Callback| {
            context.spawn(forever());
            context.wait_until(forever());
            forever().await;
        };
        let spawned = line!() - 4;
        let (outcome, elapsed) = timed(handler).await;
        let error = outcome.result.unwrap_err();
        assert_eq!((error.error_type(), elapsed), ("Sandbox.Timedout", TIMEOUT));
        let message = "RequestId: request-7 Error: Task timed out after 3.00 seconds";
        assert_eq!(error.message(), message);

        let cut_off: Vec<_> = log.warnings().into_iter().map(|l| l.message).collect();
        for named in [
            format!("the task spawned at {}", line(spawned)),
            format!("the work passed to wait_until at {}", line(spawned + 1)),
            "the rest of the handler".into(),
        ] {
            let names = cut_off.iter().filter(|line| line.contains(&named));
            assert_eq!(names.count(), 1, "{named} in {cut_off:?}");
        }
        assert_eq!(cut_off.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn refuses_a_later_signal_and_reports_it_with_the_request_id() {
        let log = Log::start();
        let handler = |_: Value, _: Context, callback: Callback| {
            task::spawn(async move {
                time::sleep(2 * TIMEOUT).await;
                callback(None, Some(json!("late")));
            });
        };
        let late = line!() - 3;
        let (outcome, elapsed) = timed(handler).await;
        assert!(outcome.result.is_err());
        assert_eq!((outcome.duplicate_signal_count, elapsed), (0, TIMEOUT));
        assert!(log.warnings().is_empty());

        time::sleep(2 * TIMEOUT).await;
        let warnings = log.warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].fields["duplicate"].starts_with(&line(late)));
        assert_eq!(warnings[0].fields["first"], "the end of its invocation");
        assert_eq!(warnings[0].fields["requestId"], "request-7");
    }

    #[tokio::test(start_paused = true)]
    async fn is_that_of_a_task_which_keeps_a_context_and_never_signals() {
        let handler = |_: Value, context: Context, _: Callback| {
            task::spawn(async move {
                forever().await;
                drop(context);
            });
        };
        let (outcome, elapsed) = timed(handler).await;
        let error = outcome.result.unwrap_err();
        assert_eq!((error.error_type(), elapsed), ("Sandbox.Timedout", TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_handler_signals_while_it_is_cut_off_is_refused() {
        struct SignalsWhenDropped(Option<Callback>);
        impl Drop for SignalsWhenDropped {
            fn drop(&mut self) {
                let callback = self.0.take().unwrap();
                assert!(callback.try_settle(Ok::<_, Error>(Value::Null)).is_err());
            }
        }

        let handler = |_: Value, _: Context, callback: Callback| {
            let late = SignalsWhenDropped(Some(callback));
            async move {
                let _late = late;
                std::future::pending::<()>().await;
            }
        };
        let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
        assert_eq!(outcome.result.unwrap_err().error_type(), "Sandbox.Timedout");
        assert_eq!(outcome.duplicate_signal_count, 1);
    }
}

mod tasks {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn may_signal() {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(async move {
                second().await;
                callback.succeed(json!("from a task"));
            });
        };
        assert_eq!(answer(handler).await, (Ok(json!("from a task")), SECOND));
    }

    #[tokio::test]
    async fn that_block_may_signal_fail_and_panic() {
        let signals = |_: Value, context: Context, callback: Callback| {
            context.spawn_blocking(move || callback.succeed(json!("blocking")));
        };
        assert_eq!(answer(signals).await.0, Ok(json!("blocking")));

        let fails = |_: Value, context: Context, callback: Callback| {
            context.spawn_blocking(move || {
                let _callback = callback;
                "x".parse::<u8>()
            });
        };
        assert_eq!(
            timed(fails).await.0.result.unwrap_err().error_type(),
            "ParseIntError"
        );

        let panics = |_: Value, context: Context, callback: Callback| {
            context.spawn_blocking(move || {
                let _callback = callback;
                panic!("boom")
            });
        };
        assert_eq!(answer(panics).await.0, failed("boom"));
    }

    #[tokio::test(start_paused = true)]
    async fn that_are_aborted_hold_nothing() {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(forever()).abort();
            callback.succeed(json!("yes"));
        };
        assert_eq!(answer(handler).await, (Ok(json!("yes")), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn run_on_when_their_handle_is_dropped() {
        let handler = |_: Value, context: Context, callback: Callback| {
            drop(context.spawn(async move {
                second().await;
                callback.succeed(json!("yes"));
            }));
        };
        assert_eq!(answer(handler).await, (Ok(json!("yes")), SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn are_futures_of_their_end_in_whatever_way() {
        async fn ends(task: Task) -> bool {
            assert!(!task.is_finished());
            let mut task = task;
            (&mut task).await;
            (&mut task).await;
            task.is_finished()
        }
        let context = Context::default();
        let started = Instant::now();
        assert!(ends(context.spawn(second())).await);
        assert!(ends(context.spawn(async { Err::<(), _>("no") })).await);
        let aborted = context.spawn(forever());
        aborted.abort();
        assert!(ends(aborted).await);
        assert_eq!(started.elapsed(), SECOND);
    }

    #[tokio::test]
    async fn spawned_from_a_plain_thread_run_on_the_runtime_of_the_invocation() {
        let handler = |_: Value, context: Context, callback: Callback| {
            thread::spawn(move || {
                context.spawn(async move {
                    task::yield_now().await;
                    callback.succeed(json!("yes"));
                });
            });
        };
        assert_eq!(answer(handler).await.0, Ok(json!("yes")));
    }

    #[test]
    fn are_dropped_and_that_is_logged_where_there_is_no_runtime() {
        let log = Log::start();
        let (callback, completion) = nodeback::callback::<u8>();
        let task = Context::default().spawn(async move { callback.succeed(1) });
        assert!(task.is_finished());
        let error = completion.wait().unwrap_err();
        assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
        assert!(log.errors()[0].message.contains("no tokio runtime"));
    }

    #[tokio::test(start_paused = true)]
    async fn that_panic_with_the_last_handle_are_reported_as_the_panic() {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(async move {
                let _callback = callback;
                panic!("boom");
            });
        };
        assert_eq!(answer(handler).await.0, failed("boom"));
    }

    #[tokio::test(start_paused = true)]
    async fn that_end_without_a_signal_lose_the_callback_at_once() {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(async move {
                second().await;
                drop(callback);
            });
        };
        let (outcome, elapsed) = timed(handler).await;
        let error = outcome.result.unwrap_err();
        assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
        assert_eq!(elapsed, SECOND);
    }
}

mod failure {
    use super::*;

    #[tokio::test]
    async fn is_logged_once_in_the_span_of_its_invocation() {
        for kind in ["fail", "return", "panic"] {
            let log = Log::start();
            let handler = move |_: Value, _: Context, callback: Callback| {
                match kind {
                    "fail" => callback.fail(error!("boom")),
                    "return" => return Err(error!("boom")),
                    _ => panic!("boom"),
                }
                Ok(())
            };
            timed(handler).await;
            let errors = log.errors();
            assert_eq!(errors.len(), 1, "{kind}: {errors:?}");
            assert_eq!(errors[0].message, "Invoke Error");
            assert!(errors[0].fields["error"].contains(r#""errorMessage":"boom""#));
            assert_eq!(errors[0].fields["requestId"], "request-7");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_task_fails_with_is_told_and_not_that_it_dropped_the_callback() {
    let fails = |event: Value, context: Context, callback: Callback| {
        context.spawn(async move {
            let _callback = callback;
            match event.as_u64() {
                Some(n) if n % 2 == 0 => panic!("even"),
                _ => Err::<(), _>("odd"),
            }
        });
    };
    for n in 0..500 {
        let outcome = nodeback::invoke(fails, json!(n), Context::default()).await;
        let expected = ["even", "odd"][n % 2];
        assert_eq!(outcome.result.unwrap_err().message(), expected);
    }
}

#[tokio::test]
async fn the_loss_of_a_wrapper_in_a_task_is_told_at_once() {
    let loses = |_: Value, context: Context, callback: Callback| {
        let wrapped = Callback::from_fn(move |error, result: Option<Value>| {
            callback(error, result);
        });
        context.spawn(async move { drop(wrapped) });
    };
    let (answer, took) = answer(loses).await;
    let message = "the callback was never called: the last callback of a wrapper was dropped";
    assert!(answer.unwrap_err().starts_with(message));
    assert!(took < SECOND);
}

#[tokio::test]
async fn the_loss_of_a_wrapper_that_forwards_nothing_is_told_at_once() {
    let loses = |_: Value, context: Context, callback: Callback| {
        let wrapped = Callback::from_fn(move |_, _: Option<Value>| drop(callback));
        context.spawn(async move { drop(wrapped) });
    };
    let (answer, took) = answer(loses).await;
    assert!(
        answer
            .unwrap_err()
            .starts_with("the callback was never called")
    );
    assert!(took < SECOND);
}
