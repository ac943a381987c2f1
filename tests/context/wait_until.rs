use super::*;

#[tokio::test(start_paused = true)]
async fn the_work_is_awaited_after_the_response_and_before_the_next_event() {
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
async fn the_work_does_not_delay_the_outcome() {
    let log = Log::start();
    let handler = |_: Value, context: Context, _: Callback| {
        context.wait_until(second());
        context.fail("no");
    };
    let failed_after = async {
        let mut elapsed = Duration::ZERO;
        while log.errors().is_empty() {
            time::sleep(Duration::from_millis(1)).await;
            elapsed += Duration::from_millis(1);
        }
        elapsed
    };
    let ((result, finished), failed_after) = tokio::join!(result_of(handler), failed_after);
    assert_eq!((result, finished), (failed("no"), SECOND));
    assert!(failed_after < SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_the_work_is_logged_and_never_changes_the_response() {
    let log = Log::start();
    let handler = |_: Value, context: Context, callback: Callback| {
        context.wait_until(async { Err::<(), _>("metrics are down") });
        context.spawn(second());
        callback.succeed(json!("yes"));
    };
    let wait_until = line!() - 4;
    assert_eq!(result_of(handler).await, (Ok(json!("yes")), SECOND));
    let errors = log.errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.contains("metrics are down"), "{errors:?}");
    assert!(errors[0].message.contains(&line(wait_until)), "{errors:?}");
}

#[tokio::test(start_paused = true)]
async fn the_work_is_aborted_before_the_deadline_and_the_log_names_it() {
    let log = Log::start();
    let handler = |_: Value, context: Context, callback: Callback| {
        context.wait_until(forever());
        callback.succeed(json!("yes"));
    };
    let wait_until = line!() - 3;
    assert_eq!(result_of(handler).await, (Ok(json!("yes")), ABORTED_AT));
    let warning = &log.warnings()[0];
    let named = format!("the work passed to wait_until at {}", line(wait_until));
    assert!(warning.message.contains(&named), "{warning:?}");
    assert_eq!(warning.fields["requestId"], "request-7");
}
