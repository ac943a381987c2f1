use super::*;

#[test]
fn pending_then_woken_once_by_the_first_signal() {
    let (callback, mut completion) = nodeback::callback();
    let wakes = Arc::default();
    assert!(poll(&mut completion, &wakes).is_pending());
    assert!(poll(&mut completion, &wakes).is_pending());
    assert_eq!(wakes.count(), 0);
    callback(None, Some(1));
    callback(None, Some(2));
    drop(callback);
    assert_eq!(wakes.count(), 1);
    assert!(matches!(
        poll(&mut completion, &wakes),
        Poll::Ready(Ok(Some(1)))
    ));
}

#[test]
fn wakes_the_task_that_polled_last() {
    let (callback, mut completion) = nodeback::callback();
    let (before, after) = (Arc::default(), Arc::default());
    assert!(poll(&mut completion, &before).is_pending());
    assert!(poll(&mut completion, &after).is_pending());
    callback.succeed(1);
    assert_eq!((before.count(), after.count()), (0, 1));
}

#[test]
fn only_the_drop_of_the_last_clone_wakes() {
    let (callback, mut completion) = nodeback::callback::<u8>();
    let (clone, wakes) = (callback.clone(), Arc::default());
    assert!(poll(&mut completion, &wakes).is_pending());
    drop(callback);
    assert_eq!(wakes.count(), 0);
    drop(clone);
    assert_eq!(wakes.count(), 1);
}

#[test]
fn ready_at_the_first_poll_after_an_early_signal() {
    let (callback, mut completion) = nodeback::callback();
    callback.succeed(1);
    assert_eq!(now(&mut completion).unwrap(), Some(1));
}

#[test]
fn terminated_after_its_outcome_was_taken() {
    let (callback, mut completion) = nodeback::callback();
    assert!(!completion.is_terminated());
    callback.succeed(1);
    assert!(!completion.is_terminated());
    assert_eq!(now(&mut completion).unwrap(), Some(1));
    assert!(completion.is_terminated());
    assert!(is_pending(&mut completion));
}

#[test]
fn wait_blocks_until_another_thread_signals() {
    let (callback, completion) = nodeback::callback();
    let (waiting, started) = mpsc::channel();
    let waiter = thread::spawn(move || {
        waiting.send(()).unwrap();
        completion.wait()
    });
    started.recv().unwrap();
    callback.succeed(1);
    assert_eq!(waiter.join().unwrap().unwrap(), Some(1));
}

#[test]
fn wait_ends_when_the_last_clone_is_dropped_elsewhere() {
    let (callback, completion) = nodeback::callback::<u8>();
    thread::spawn(move || drop(callback));
    let error = completion.wait().unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
}

#[test]
fn wait_for_times_out_and_loses_nothing() {
    let (callback, mut completion) = nodeback::callback();
    assert!(completion.wait_for(Duration::ZERO).is_err());
    assert!(completion.wait_for(Duration::from_millis(1)).is_err());
    callback.succeed(1);
    assert_eq!(completion.wait_for(AMPLE).unwrap().unwrap(), Some(1));
    assert!(completion.wait_for(Duration::ZERO).is_err());
}

#[test]
fn wait_for_may_be_longer_than_any_clock() {
    let (callback, mut completion) = nodeback::callback();
    callback.succeed(1);
    let outcome = completion.wait_for(Duration::MAX);
    assert_eq!(outcome.unwrap().unwrap(), Some(1));
}

#[tokio::test]
async fn select_that_takes_the_other_branch_loses_nothing() {
    let (callback, mut completion) = nodeback::callback();
    tokio::select! {
        biased;
        _ = &mut completion => panic!("not signalled yet"),
        () = async { callback.succeed(1) } => {}
    }
    assert_eq!(completion.await.unwrap(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn timeout_around_it_loses_nothing() {
    let (callback, mut completion) = nodeback::callback();
    assert!(tokio::time::timeout(AMPLE, &mut completion).await.is_err());
    callback.succeed(1);
    assert_eq!(completion.await.unwrap(), Some(1));
}

#[test]
fn dropped_completion_rejects_every_signal() {
    let (callback, completion) = nodeback::callback();
    drop(completion);
    assert!(callback.is_signalled());
    let rejected = callback.try_settle(Ok::<_, Error>(1)).unwrap_err();
    assert_eq!(rejected.first(), CallSite::Closed);
    assert_eq!(rejected.into_inner().unwrap(), Some(1));
}

#[test]
fn completion_dropped_with_its_outcome_still_names_the_first_signal() {
    let (callback, completion) = nodeback::callback();
    let clone = callback.clone();
    callback.succeed(1);
    drop(completion);
    let rejected = clone.try_settle(Ok::<_, Error>(2)).unwrap_err();
    assert!(matches!(rejected.first(), CallSite::Call { .. }));
}
