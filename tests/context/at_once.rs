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
