use super::*;

type Given = (Option<String>, Option<Value>);

fn recorded() -> (Callback, mpsc::Receiver<Given>) {
    let (given, outcomes) = mpsc::channel();
    let callback = Callback::from_fn(move |error: Option<Error>, result| {
        given.send((error.map(|e| e.to_string()), result)).unwrap();
    });
    (callback, outcomes)
}

#[test]
fn hands_its_outcome_over_where_it_is_called() {
    let (callback, outcomes) = recorded();
    callback(None, Some(json!(1)));
    assert_eq!(outcomes.try_recv().unwrap(), (None, Some(json!(1))));

    let (callback, outcomes) = recorded();
    callback.fail("no");
    assert_eq!(outcomes.try_recv().unwrap(), (Some("no".into()), None));

    let (callback, outcomes) = recorded();
    callback(None, None);
    assert_eq!(outcomes.try_recv().unwrap(), (None, None));
}

#[test]
fn error_comes_without_the_result() {
    let (callback, outcomes) = recorded();
    callback(Some(error!("boom")), Some(json!(1)));
    let given = outcomes.try_recv().unwrap();
    assert_eq!(given, (Some("Error: boom".into()), None));
}

#[test]
fn second_signal_is_rejected_and_reported() {
    let log = Log::start();
    let (callback, outcomes) = recorded();
    callback(None, Some(json!(1)));
    let first = line!() - 1;
    callback(None, Some(json!(2)));
    assert!(callback.is_signalled());
    drop(callback);
    assert_eq!(outcomes.iter().count(), 1);

    let warnings = log.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].fields["first"].starts_with(&line(first)));
    assert!(warnings[0].fields["duplicate"].starts_with(&line(first + 2)));
}

#[test]
fn drop_of_the_last_clone_drops_the_function_without_calling_it() {
    let (callback, outcomes) = recorded();
    let clone = callback.clone();
    drop(callback);
    assert_eq!(outcomes.try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(clone);
    assert_eq!(outcomes.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[test]
fn forwards_through_any_number_of_wrappers() {
    let (callback, completion) = nodeback::callback::<String>();
    let wrap = |callback: Callback<String>, name: &'static str| {
        Callback::from_fn(move |error, result: Option<String>| {
            callback(error, result.map(|inner| format!("{name}({inner})")))
        })
    };
    let wrapped = wrap(wrap(callback, "outer"), "inner");
    wrapped.succeed("x".into());
    assert_eq!(completion.wait().unwrap().unwrap(), "outer(inner(x))");
}

#[test]
fn dropped_wrapper_drops_the_callback_that_it_holds() {
    let (callback, mut completion) = nodeback::callback::<u8>();
    drop(Callback::from_fn(move |error, result| {
        callback.call(error, result);
    }));
    let error = now(&mut completion).unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
}

#[test]
fn dropped_wrapper_contains_a_panic_of_what_its_function_holds() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let wrapper = || {
        let held = Panics;
        Callback::from_fn(move |_, _: Option<u8>| drop(held))
    };
    drop(wrapper());
    // A panic that escaped a destructor during unwinding would abort the process.
    let unwound = std::panic::catch_unwind(|| {
        let _wrapper = wrapper();
        panic!("in the handler");
    });
    let message = unwound.unwrap_err();
    assert_eq!(message.downcast_ref(), Some(&"in the handler"));
}

#[test]
fn function_may_drop_or_call_the_wrapper_itself() {
    let (given, outcomes) = mpsc::channel();
    let (handle, itself) = mpsc::channel::<Callback<u8>>();
    let callback = Callback::from_fn(move |_, result| {
        let again = itself.recv().unwrap();
        assert!(again.is_signalled());
        again.succeed(2);
        given.send(result).unwrap();
    });
    handle.send(callback.clone()).unwrap();
    callback.succeed(1);
    assert_eq!(outcomes.iter().collect::<Vec<_>>(), [Some(1)]);
}
