use super::*;

#[test]
fn literal_call_with_a_result_succeeds() {
    let (callback, completion): (Callback, _) = nodeback::callback();
    callback(None, Some(json!({ "ok": true })));
    assert_eq!(completion.wait().unwrap(), Some(json!({ "ok": true })));
}

#[test]
fn literal_call_with_an_error_fails_whatever_the_result() {
    let (callback, completion) = nodeback::callback();
    callback(Some(error!("boom")), Some(1));
    assert_eq!(completion.wait().unwrap_err().message(), "boom");
}

#[test]
fn literal_call_with_neither_succeeds_with_nothing() {
    let (callback, completion) = nodeback::callback::<u8>();
    callback(None, None);
    assert_eq!(completion.wait().unwrap(), None);
}

#[test]
fn literal_call_works_through_a_reference_a_closure_and_an_arc() {
    fn through(callback: &Callback<u8>) {
        callback(None, Some(1));
    }
    let (callback, completion) = nodeback::callback();
    through(&callback);
    assert_eq!(completion.wait().unwrap(), Some(1));

    let (callback, completion) = nodeback::callback();
    let later = move || callback(None, Some(2));
    later();
    assert_eq!(completion.wait().unwrap(), Some(2));

    let (callback, completion) = nodeback::callback();
    let callback = Arc::new(callback);
    callback(None, Some(3));
    assert_eq!(completion.wait().unwrap(), Some(3));
}

#[test]
fn succeed_is_callback_null_result() {
    let (callback, completion) = nodeback::callback();
    callback.succeed(1);
    assert_eq!(completion.wait().unwrap(), Some(1));
}

#[test]
fn fail_is_callback_error() {
    let (callback, completion) = nodeback::callback::<u8>();
    callback.fail("no");
    let error = completion.wait().unwrap_err();
    assert_eq!((error.error_type(), error.message()), ("string", "no"));
}

#[test]
fn settle_follows_the_result() {
    let (callback, completion) = nodeback::callback();
    callback.settle("7".parse::<u8>());
    assert_eq!(completion.wait().unwrap(), Some(7));

    let (callback, completion) = nodeback::callback();
    callback.settle("x".parse::<u8>());
    assert_eq!(completion.wait().unwrap_err().error_type(), "ParseIntError");
}

#[test]
fn call_is_the_literal_call() {
    let (callback, completion) = nodeback::callback();
    callback.call(None, Some(1));
    assert_eq!(completion.wait().unwrap(), Some(1));

    let (callback, completion) = nodeback::callback();
    callback.call(Some(error!("boom")), Some(1));
    assert_eq!(completion.wait().unwrap_err().message(), "boom");

    let (callback, completion) = nodeback::callback::<u8>();
    callback.call(None, None);
    assert_eq!(completion.wait().unwrap(), None);
}

#[test]
fn try_settle_accepts_the_first_signal() {
    let (callback, completion) = nodeback::callback();
    assert!(callback.try_settle(Ok::<_, Error>(1)).is_ok());
    assert_eq!(completion.wait().unwrap(), Some(1));
}

#[test]
fn try_settle_returns_a_rejected_signal() {
    let (callback, completion) = nodeback::callback();
    let clones = (callback.clone(), callback.clone());
    callback.succeed(1);
    let first = line!() - 1;

    let rejected = clones.0.try_settle(Ok::<_, Error>(2)).unwrap_err();
    assert!(rejected.first().to_string().starts_with(&line(first)));
    assert_eq!(
        rejected.to_string(),
        format!("the callback was already signalled at {}", rejected.first()),
    );
    assert_eq!(rejected.into_inner().unwrap(), Some(2));

    let rejected = clones.1.try_settle(Err("late")).unwrap_err();
    assert_eq!(rejected.into_inner().unwrap_err().message(), "late");
    assert_eq!(completion.wait().unwrap(), Some(1));
}

#[test]
fn is_signalled_includes_signals_of_other_handles() {
    let (callback, completion) = nodeback::callback();
    let clone = callback.clone();
    assert!(!callback.is_signalled());
    clone.succeed(1);
    assert!(callback.is_signalled());
    let _ = completion.wait();
    assert!(callback.is_signalled());
}
