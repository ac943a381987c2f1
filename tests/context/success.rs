use super::*;

#[tokio::test(start_paused = true)]
async fn a_success_waits_for_the_tasks() {
    let handler = |_: Value, context: Context, callback: Callback| {
        context.spawn(second());
        callback.succeed(json!("deferred"));
    };
    assert_eq!(result_of(handler).await, (Ok(json!("deferred")), SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_success_waits_for_the_tasks_that_tasks_spawn() {
    let handler = |_: Value, context: Context, callback: Callback| {
        let inner = context.clone();
        context.spawn(async move {
            second().await;
            inner.spawn(second());
        });
        callback.succeed(json!("deferred"));
    };
    assert_eq!(
        result_of(handler).await,
        (Ok(json!("deferred")), 2 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_waits_for_the_rest_of_the_handler() {
    let handler = async |_: Value, _: Context, callback: Callback| {
        callback.succeed(json!("deferred"));
        second().await;
    };
    assert_eq!(result_of(handler).await, (Ok(json!("deferred")), SECOND));
}

#[tokio::test]
async fn a_success_waits_for_a_blocking_task() {
    let (order, events) = mpsc::channel();
    let handler = move |_: Value, context: Context, callback: Callback| {
        let (go, gone) = mpsc::channel();
        let (blocking, task) = (order.clone(), order.clone());
        context.spawn_blocking(move || {
            gone.recv().unwrap();
            blocking.send("the blocking task ended").unwrap();
        });
        callback(None, Some(json!("deferred")));
        task::spawn(async move {
            task.send("signalled").unwrap();
            go.send(()).unwrap();
        });
    };
    assert_eq!(result_of(handler).await.0, Ok(json!("deferred")));
    let events: Vec<_> = events.try_iter().collect();
    assert_eq!(events, ["signalled", "the blocking task ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_success_does_not_wait_for_a_task_spawned_on_tokio_directly() {
    let handler = |_: Value, _: Context, callback: Callback| {
        task::spawn(forever());
        callback.succeed(json!("at once"));
    };
    assert_eq!(
        result_of(handler).await,
        (Ok(json!("at once")), Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_is_sent_at_once_with_the_flag_off_and_the_tasks_continue() {
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    let handler = move |_: Value, context: Context, callback: Callback| {
        let end = Arc::clone(&end);
        context.set_callback_waits_for_empty_event_loop(false);
        assert!(!context.callback_waits_for_empty_event_loop());
        context.spawn(async move {
            second().await;
            end.store(true, SeqCst);
        });
        callback.succeed(json!("at once"));
    };
    let (outcome, elapsed) = timed(handler).await;
    assert_eq!(outcome.result.unwrap(), "at once");
    assert_eq!(elapsed, Duration::ZERO);
    assert!(!ended.load(SeqCst));
    time::sleep(SECOND * 2).await;
    assert!(ended.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn the_value_of_the_flag_at_the_call_counts() {
    let set_after = |_: Value, context: Context, callback: Callback| {
        context.spawn(second());
        callback.succeed(json!("deferred"));
        context.set_callback_waits_for_empty_event_loop(false);
    };
    assert_eq!(result_of(set_after).await, (Ok(json!("deferred")), SECOND));

    let reset_after = |_: Value, context: Context, callback: Callback| {
        context.spawn(second());
        context.set_callback_waits_for_empty_event_loop(false);
        callback.succeed(json!("at once"));
        context.set_callback_waits_for_empty_event_loop(true);
    };
    let at_once = (Ok(json!("at once")), Duration::ZERO);
    assert_eq!(result_of(reset_after).await, at_once);
}

#[tokio::test(start_paused = true)]
async fn the_flag_applies_to_one_invocation() {
    let context = Context::default();
    context.set_callback_waits_for_empty_event_loop(false);
    let handler = |_: Value, context: Context, callback: Callback| {
        callback.succeed(json!(context.callback_waits_for_empty_event_loop()));
    };
    let outcome = nodeback::invoke(handler, json!({}), context).await;
    assert_eq!(outcome.result.unwrap(), true);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_task_replaces_a_deferred_success() {
    let fails = |_: Value, context: Context, callback: Callback| {
        context.spawn(async {
            second().await;
            Err::<(), _>("unhandled")
        });
        context.spawn(forever());
        callback.succeed(json!("deferred"));
    };
    assert_eq!(result_of(fails).await, (failed("unhandled"), SECOND));

    let panics = |_: Value, context: Context, callback: Callback| {
        context.spawn(async {
            second().await;
            panic!("boom");
        });
        context.spawn(forever());
        callback.succeed(json!("deferred"));
    };
    let (outcome, elapsed) = timed(panics).await;
    let error = outcome.result.unwrap_err();
    assert_eq!((error.error_type(), elapsed), ("Runtime.Panic", SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_rest_of_the_handler_replaces_a_deferred_success() {
    let handler = async |_: Value, _: Context, callback: Callback| {
        callback.succeed(json!("deferred"));
        second().await;
        boom();
    };
    assert_eq!(result_of(handler).await, (failed("boom"), SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_deferred_success_is_sent_without_tasks_that_do_not_end_before_the_deadline() {
    let log = Log::start();
    let handler = |_: Value, context: Context, callback: Callback| {
        context.spawn(forever());
        callback.succeed(json!("in time"));
    };
    let spawned = line!() - 3;
    assert_eq!(result_of(handler).await, (Ok(json!("in time")), ABORTED_AT));
    let warning = &log.warnings()[0];
    let named = format!("the task spawned at {}", line(spawned));
    assert!(warning.message.contains(&named), "{warning:?}");
    assert_eq!(warning.fields["requestId"], "request-7");
}
