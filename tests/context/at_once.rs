use super::*;

/// Spawns a task that never ends, then runs `signal`. Asserts that the outcome does not wait for
/// the task, and returns it.
async fn signal_with_a_task(
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
async fn an_error_passed_to_the_callback_does_not_wait_for_tasks() {
    let result = signal_with_a_task(|_, callback| callback.fail("no")).await;
    assert_eq!(result, failed("no"));
}

#[tokio::test(start_paused = true)]
async fn the_methods_of_the_context_do_not_wait_for_tasks() {
    let result = signal_with_a_task(|context, _| context.succeed("yes")).await;
    assert_eq!(result, Ok(json!("yes")));
    let result = signal_with_a_task(|context, _| context.fail("no")).await;
    assert_eq!(result, failed("no"));
    let result = signal_with_a_task(|context, _| context.fail(())).await;
    assert_eq!(result, failed("handled"));
    let result = signal_with_a_task(|context, _| context.done(None, Some(json!("yes")))).await;
    assert_eq!(result, Ok(json!("yes")));
    let result = signal_with_a_task(|context, _| context.done(Some(error!("no")), None)).await;
    assert_eq!(result, failed("no"));
}

#[tokio::test(start_paused = true)]
async fn done_as_a_function_value_does_not_wait_for_tasks() {
    let result = signal_with_a_task(|context, _| {
        context.done_callback().into_once()(Ok::<_, Error>("yes"));
    });
    assert_eq!(result.await, Ok(json!("yes")));
    let result = signal_with_a_task(|context, _| {
        let done = context.done_callback();
        done.clone()(None, Some("yes"));
    });
    assert_eq!(result.await, Ok(json!("yes")));
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_task_before_any_signal_does_not_wait_for_other_tasks() {
    let handler = |_: Value, context: Context, callback: Callback| {
        context.spawn(async { Err::<(), _>("unhandled") });
        context.spawn(async move {
            forever().await;
            callback(None, None);
        });
    };
    assert_eq!(
        result_of(handler).await,
        (failed("unhandled"), Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn the_return_value_of_an_async_handler_does_not_wait_for_tasks() {
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
