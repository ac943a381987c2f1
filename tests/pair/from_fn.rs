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
fn drop_of_the_last_clone_passes_the_error_to_the_function() {
    let (callback, outcomes) = recorded();
    let clone = callback.clone();
    drop(callback);
    assert!(outcomes.try_recv().is_err());
    drop(clone);
    let (error, result) = outcomes.try_recv().unwrap();
    assert!(error.unwrap().starts_with("Runtime.CallbackNotCalled: "));
    assert_eq!(result, None);
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
fn error_of_a_dropped_wrapper_reaches_the_completion() {
    let (callback, mut completion) = nodeback::callback::<u8>();
    drop(Callback::from_fn(move |error, result| {
        callback.call(error, result);
    }));
    let error = now(&mut completion).unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
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
