use super::*;

#[test]
fn for_tasks_that_are_spawned_after_the_callback_was_called() {
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
fn for_the_error_of_a_task_after_the_last_handle_was_dropped() {
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
fn until_the_loop_is_empty_before_the_callback_counts_as_never_called() {
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

/// The work passed to `wait_until` could still signal, or spawn a task that fails with a better
/// reason.
#[test]
fn for_work_of_wait_until_before_the_callback_counts_as_never_called() {
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
fn for_nothing_after_an_error_or_a_signal_of_the_context() {
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
