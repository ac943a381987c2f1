use super::*;

fn error_of(drop_all: impl FnOnce(Callback<u8>)) -> Error {
    let (callback, mut completion) = nodeback::callback();
    drop_all(callback);
    now(&mut completion).unwrap_err()
}

#[test]
fn last_handle_dropped_fails_at_once() {
    let error = error_of(drop);
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
    let message = error.message();
    assert!(
        message.starts_with(
            "the callback was never called: its last handle, the callback itself, was dropped"
        ),
        "{message}",
    );
    assert!(!message.contains("panic"), "{message}");
}

#[test]
fn clone_that_is_alive_keeps_the_completion_pending() {
    let (callback, mut completion) = nodeback::callback::<u8>();
    let clone = callback.clone();
    drop(callback);
    assert!(is_pending(&mut completion));
    clone.succeed(1);
    assert_eq!(now(&mut completion).unwrap(), Some(1));
}

#[test]
fn message_names_where_the_last_clone_was_made() {
    let mut made = 0;
    let error = error_of(|callback| {
        let clone = callback.clone();
        made = line!() - 1;
        drop(callback);
        drop(clone);
    });
    let clone = format!("its last handle, a clone made at {}", line(made));
    assert!(error.message().contains(&clone), "{error}");
}

#[test]
fn message_names_a_panic_that_dropped_it_and_the_thread() {
    let error = error_of(|callback| {
        let thread = thread::Builder::new().name("worker".into());
        let thread = thread.spawn(move || {
            let _dropped = callback;
            panic!("boom");
        });
        thread.unwrap().join().unwrap_err();
    });
    let end = "was dropped by a panic on thread `worker`";
    assert!(error.message().ends_with(end), "{error}");
}

#[test]
fn borrow_for_a_literal_call_does_not_keep_the_callback_alive() {
    let error = error_of(|callback| {
        let _: &dyn Fn(Option<Error>, Option<u8>) = &*callback;
    });
    assert!(error.message().contains("the callback itself"), "{error}");
}
