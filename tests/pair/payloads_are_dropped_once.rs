use super::*;

#[test]
fn when_won_and_taken() {
    let (callback, completion) = nodeback::callback();
    let (payload, drops) = payload();
    callback.succeed(payload);
    let outcome = completion.wait();
    assert_eq!(drops(), 0);
    drop(outcome);
    assert_eq!(drops(), 1);
}

#[test]
fn when_won_and_never_taken() {
    let (callback, completion) = nodeback::callback();
    let (payload, drops) = payload();
    callback(None, Some(payload));
    assert_eq!(drops(), 0);
    drop(completion);
    assert_eq!(drops(), 1);
    drop(callback);
    assert_eq!(drops(), 1);
}

#[test]
fn when_an_error_comes_with_it() {
    let (callback, _completion) = nodeback::callback();
    let ((result, results), (error, errors)) = (payload(), payload());
    callback(Some(error.into()), Some(result));
    assert_eq!((results(), errors()), (1, 0));
}

#[test]
fn when_rejected() {
    let (callback, _completion) = nodeback::callback();
    let ((first, firsts), (second, seconds), (error, errors)) = (payload(), payload(), payload());
    callback(None, Some(first));
    callback(None, Some(second));
    callback.fail(error);
    assert_eq!((firsts(), seconds(), errors()), (0, 1, 1));
}

#[test]
fn when_rejected_and_returned() {
    let (callback, _completion) = nodeback::callback();
    let ((first, _), (second, drops)) = (payload(), payload());
    callback(None, Some(first));
    let rejected = callback.try_settle(Ok::<_, Error>(second)).unwrap_err();
    assert_eq!(drops(), 0);
    drop(rejected.into_inner());
    assert_eq!(drops(), 1);
}

#[test]
fn when_closed() {
    let (callback, completion) = nodeback::callback();
    drop(completion);
    let (payload, drops) = payload();
    callback.succeed(payload);
    assert_eq!(drops(), 1);
}

#[test]
fn when_the_wrapper_that_holds_it_is_called_or_dropped() {
    for call in [true, false] {
        let (payload, drops) = payload();
        let callback = Callback::from_fn(move |_, _: Option<u8>| drop(payload));
        assert_eq!(drops(), 0);
        if call {
            callback(None, None);
            assert_eq!(drops(), 1);
        }
        drop(callback);
        assert_eq!(drops(), 1);
    }
}

#[test]
fn when_its_drop_uses_the_same_callback() {
    struct Again(Callback<Again>);
    impl Drop for Again {
        fn drop(&mut self) {
            assert!(self.0.is_signalled());
        }
    }
    let (callback, completion) = nodeback::callback();
    let clone = callback.clone();
    callback.succeed(Again(clone));
    drop(completion);
}
