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
