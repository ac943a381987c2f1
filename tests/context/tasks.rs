use super::*;

#[tokio::test(start_paused = true)]
async fn a_task_can_signal() {
    let handler = |_: Value, context: Context, callback: Callback| {
        context.spawn(async move {
            second().await;
            callback.succeed(json!("from a task"));
        });
    };
    assert_eq!(result_of(handler).await, (Ok(json!("from a task")), SECOND));
}

#[tokio::test]
async fn a_blocking_task_can_signal_fail_and_panic() {
    let signals = |_: Value, context: Context, callback: Callback| {
        context.spawn_blocking(move || callback.succeed(json!("blocking")));
    };
    assert_eq!(result_of(signals).await.0, Ok(json!("blocking")));

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
    assert_eq!(result_of(panics).await.0, failed("boom"));
}

#[tokio::test(start_paused = true)]
async fn an_aborted_task_does_not_delay_the_response() {
    let handler = |_: Value, context: Context, callback: Callback| {
        context.spawn(forever()).abort();
        callback.succeed(json!("yes"));
    };
    assert_eq!(result_of(handler).await, (Ok(json!("yes")), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_task_continues_when_its_handle_is_dropped() {
    let handler = |_: Value, context: Context, callback: Callback| {
        drop(context.spawn(async move {
            second().await;
            callback.succeed(json!("yes"));
        }));
    };
    assert_eq!(result_of(handler).await, (Ok(json!("yes")), SECOND));
}

#[tokio::test(start_paused = true)]
async fn awaiting_a_task_completes_whichever_way_the_task_ends() {
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
async fn a_task_spawned_from_a_plain_thread_runs_on_the_runtime_of_the_invocation() {
    let handler = |_: Value, context: Context, callback: Callback| {
        thread::spawn(move || {
            context.spawn(async move {
                task::yield_now().await;
                callback.succeed(json!("yes"));
            });
        });
    };
    assert_eq!(result_of(handler).await.0, Ok(json!("yes")));
}

#[test]
fn a_task_without_a_runtime_is_dropped_and_logged() {
    let log = Log::start();
    let (callback, completion) = nodeback::callback::<u8>();
    let task = Context::default().spawn(async move { callback.succeed(1) });
    assert!(task.is_finished());
    let error = completion.wait().unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
    assert!(log.errors()[0].message.contains("no tokio runtime"));
}

#[tokio::test(start_paused = true)]
async fn the_panic_of_a_task_with_the_last_handle_is_reported_as_a_panic() {
    let handler = |_: Value, context: Context, callback: Callback| {
        context.spawn(async move {
            let _callback = callback;
            panic!("boom");
        });
    };
    assert_eq!(result_of(handler).await.0, failed("boom"));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_drops_the_last_handle_fails_the_invocation_at_once() {
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
