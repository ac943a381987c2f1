use super::*;

#[tokio::test(start_paused = true)]
async fn is_awaited_after_the_answer_before_the_next_event() {
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
async fn does_not_hold_the_answer_back() {
    let log = Log::start();
    let handler = |_: Value, context: Context, _: Callback| {
        context.wait_until(second());
        context.fail("no");
    };
    let answered = async {
        let mut elapsed = Duration::ZERO;
        while log.errors().is_empty() {
            time::sleep(Duration::from_millis(1)).await;
            elapsed += Duration::from_millis(1);
        }
        elapsed
    };
    let ((answer, finished), answered) = tokio::join!(answer(handler), answered);
    assert_eq!((answer, finished), (failed("no"), SECOND));
    assert!(answered < SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn failure_is_logged_and_never_alters_the_answer() {
    let log = Log::start();
    let handler = |_: Value, context: Context, callback: Callback| {
        context.wait_until(async { Err::<(), _>("metrics are down") });
        context.spawn(second());
        callback.succeed(json!("yes"));
    };
    let wait_until = line!() - 4;
    assert_eq!(answer(handler).await, (Ok(json!("yes")), SECOND));
    let errors = log.errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.contains("metrics are down"), "{errors:?}");
    assert!(errors[0].message.contains(&line(wait_until)), "{errors:?}");
}

#[tokio::test(start_paused = true)]
async fn is_cut_off_before_the_deadline_and_named() {
    let log = Log::start();
    let handler = |_: Value, context: Context, callback: Callback| {
        context.wait_until(forever());
        callback.succeed(json!("yes"));
    };
    let wait_until = line!() - 3;
    assert_eq!(answer(handler).await, (Ok(json!("yes")), CUT_OFF));
    let cut_off = &log.warnings()[0];
    let named = format!("the work passed to wait_until at {}", line(wait_until));
    assert!(cut_off.message.contains(&named), "{cut_off:?}");
    assert_eq!(cut_off.fields["requestId"], "request-7");
}
