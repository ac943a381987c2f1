use super::*;

#[tokio::test(start_paused = true)]
async fn an_unfinished_task_is_named_by_the_call_site_of_its_spawn() {
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
async fn the_rest_of_the_handler_is_listed_and_continues() {
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
async fn a_failure_after_the_response_is_logged_once_and_changes_nothing() {
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
async fn a_panic_after_the_response_is_logged_once_and_changes_nothing() {
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
