use super::*;

#[tokio::test(start_paused = true)]
async fn a_handler_that_has_not_responded_fails_and_the_log_names_what_is_aborted() {
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

    let warnings: Vec<_> = log.warnings().into_iter().map(|l| l.message).collect();
    for named in [
        format!("the task spawned at {}", line(spawned)),
        format!("the work passed to wait_until at {}", line(spawned + 1)),
        "the rest of the handler".into(),
    ] {
        let names = warnings.iter().filter(|line| line.contains(&named));
        assert_eq!(names.count(), 1, "{named} in {warnings:?}");
    }
    assert_eq!(warnings.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_signal_after_the_deadline_is_rejected_and_logged_with_the_request_id() {
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
async fn a_task_that_keeps_a_context_and_never_signals_times_out() {
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
async fn a_signal_from_a_handler_that_is_being_aborted_is_rejected() {
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
