use super::*;

#[test]
fn into_once_takes_a_result() {
    let (callback, completion) = nodeback::callback();
    callback.into_once()("7".parse::<u8>());
    assert_eq!(completion.wait().unwrap(), Some(7));

    let (callback, completion) = nodeback::callback::<u8>();
    callback.into_once()(Err("no"));
    assert_eq!(completion.wait().unwrap_err().message(), "no");
}

#[test]
fn into_error_first_takes_both() {
    let (callback, completion) = nodeback::callback();
    callback.into_error_first()(None::<io::Error>, Some(7));
    assert_eq!(completion.wait().unwrap(), Some(7));

    let (callback, completion) = nodeback::callback();
    callback.into_error_first()(Some("no"), Some(7));
    assert_eq!(completion.wait().unwrap_err().message(), "no");
}

#[test]
fn into_error_only_fails() {
    let (callback, completion) = nodeback::callback::<u8>();
    callback.into_error_only()("no");
    assert_eq!(completion.wait().unwrap_err().message(), "no");
}

#[test]
fn closure_that_is_dropped_without_a_call_fails() {
    let (callback, mut completion) = nodeback::callback::<u8>();
    let done = callback.into_once::<Error, _>();
    assert!(is_pending(&mut completion));
    drop(done);
    let error = now(&mut completion).unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
}

#[test]
fn rejected_closure_names_where_it_was_made() {
    let log = Log::start();
    let (callback, _completion) = nodeback::callback();
    callback(None, Some(1));
    let done = callback.into_error_only();
    let made = line!() - 1;
    done("late");
    assert!(log.warnings()[0].fields["duplicate"].starts_with(&line(made)));
}

#[test]
fn an_error_that_is_converted_has_its_call_site_in_its_trace() {
    type Signal = fn(Callback<u8>, io::Error);
    let signals: [Signal; 6] = [
        |callback, error| callback.fail(error),
        |callback, error| callback.settle(Err(error)),
        |callback, error| drop(callback.try_settle(Err(error))),
        |callback, error| callback.into_once()(Err(error)),
        |callback, error| callback.into_error_first()(Some(error), None),
        |callback, error| callback.into_error_only()(error),
    ];
    let first = line!() - 7;
    for (line, signal) in (first..).zip(signals) {
        let (callback, completion) = nodeback::callback();
        signal(callback, io::Error::other("broken"));
        let trace = completion.wait().unwrap_err().trace();
        assert_eq!(trace[0], "Error: broken");
        let at = format!("    at {}:{line}:", file!());
        assert!(trace[1].starts_with(&at), "{trace:?} at line {line}");
    }
    // A value that is not an error has no trace in Node.
    let (callback, completion) = nodeback::callback::<u8>();
    callback.fail("text");
    assert!(completion.wait().unwrap_err().trace().is_empty());
}
