use super::*;

fn id() -> String {
    Context::current().map_or("none".into(), |context| context.aws_request_id.clone())
}

#[test]
fn is_set_while_code_of_the_invocation_runs() {
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
fn is_correct_when_two_invocations_run_concurrently() {
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
fn is_the_outer_one_again_after_a_nested_invocation() {
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
fn is_reset_after_a_panic() {
    on_every_flavor(async || {
        let panics = |_: Value, _: Context, _: Callback| panic!("boom");
        assert_eq!(failure(invoke(panics).await), "Runtime.Panic: boom");
        assert_eq!(id(), "none");
    });
}

#[test]
fn can_signal_like_any_context_until_the_response_is_sent() {
    on_every_flavor(async || {
        let (late, seen) = mpsc::channel();
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
        let seen = tokio::task::spawn_blocking(move || seen.recv().unwrap());
        assert_eq!(seen.await.unwrap(), ("7".into(), true));
    });
}

/// A client library may call back from its own task, where no invocation is the current one.
#[test]
fn is_not_needed_by_a_context_that_a_foreign_task_uses() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            tokio::spawn(async move {
                callback.succeed(json!("deferred"));
                context.set_immediate(|| ());
                context.set_timeout(TICK, || Err::<(), _>(error!("later")));
            });
        };
        for _ in 0..20 {
            // The response may be sent before the timer is set. Otherwise it waits for the timer,
            // which fails the invocation.
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
