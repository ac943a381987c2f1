use super::*;

#[test]
fn every_way_of_signalling_reports_both_call_sites() {
    let log = Log::start();
    let (callback, _completion) = nodeback::callback();
    callback(None, Some(1));
    let first = line!() - 1;
    callback(None, Some(2));
    callback.clone().succeed(2);
    callback.clone().fail("late");
    callback.clone().settle(Ok::<_, Error>(2));
    callback.clone().call(None, Some(2));
    callback.clone().into_once()(Ok::<_, Error>(2));
    callback.clone().into_error_first()(None::<Error>, Some(2));
    callback.clone().into_error_only()("late");

    let warnings = log.warnings();
    assert_eq!(warnings.len(), 8);
    for (warning, again) in warnings.iter().zip(first + 2..) {
        assert!(warning.fields["first"].starts_with(&line(first)));
        assert!(warning.fields["duplicate"].starts_with(&line(again)));
        assert!(warning.message.contains("signalled again"));
    }
}

#[test]
fn literal_call_reports_its_own_call_site_when_its_arguments_call_another_callback() {
    let log = Log::start();
    let (outer, _completion) = nodeback::callback();
    let (inner, _inner) = nodeback::callback();
    let call_inner = || {
        inner(None, Some(()));
        1
    };
    outer.clone().succeed(0);
    outer(None, Some(call_inner()));
    let again = line!() - 1;
    assert_eq!(log.warnings().len(), 1);
    assert!(log.warnings()[0].fields["duplicate"].starts_with(&line(again)));
}

#[test]
fn each_nested_literal_call_reports_its_own_call_site() {
    let log = Log::start();
    let (outer, _completion) = nodeback::callback();
    let (inner, _inner) = nodeback::callback::<()>();
    outer(None, None);
    let first = line!() - 1;
    inner(None, None);
    outer(None, Some([inner(None, None)]));
    outer(None, Some([outer(None, None)]));
    let again = [first + 3, first + 3, first + 4, first + 4];
    let warnings = log.warnings();
    assert_eq!(warnings.len(), again.len());
    for (warning, again) in warnings.iter().zip(again) {
        assert!(warning.fields["duplicate"].starts_with(&line(again)));
    }
}

#[test]
fn call_through_a_stored_reference_reports_where_the_reference_was_made() {
    let log = Log::start();
    let (callback, _completion) = nodeback::callback();
    let call: &(dyn Fn(Option<Error>, Option<u8>) + Send + Sync) = &*callback;
    let made = line!() - 1;
    call(None, Some(1));
    call(None, Some(2));
    let signal = log.recording(|| call(None, Some(3)));
    thread::scope(|scope| scope.spawn(signal).join().unwrap());
    let warnings = log.warnings();
    assert_eq!(warnings.len(), 2);
    for warning in warnings {
        assert!(warning.fields["first"].starts_with(&line(made)));
        assert!(warning.fields["duplicate"].starts_with(&line(made)));
    }
}

#[test]
fn literal_calls_nested_deeper_than_the_record_report_their_call_sites() {
    static NESTED: AtomicUsize = AtomicUsize::new(0);
    fn nested(callbacks: &[Callback<usize>]) -> usize {
        if let [first, others @ ..] = callbacks {
            NESTED.store(line!() as usize + 1, SeqCst);
            first(None, Some(nested(others)));
        }
        callbacks.len()
    }
    let log = Log::start();
    let (callbacks, _completions): (Vec<_>, Vec<_>) = (0..9).map(|_| nodeback::callback()).unzip();
    callbacks.iter().for_each(|callback| callback(None, None));
    nested(&callbacks);
    let warnings = log.warnings();
    assert_eq!(warnings.len(), callbacks.len());
    let again = u32::try_from(NESTED.load(SeqCst)).unwrap();
    for warning in warnings {
        assert!(warning.fields["duplicate"].starts_with(&line(again)));
    }
}

#[test]
fn signal_from_a_thread_reports_its_call_site() {
    let log = Log::start();
    let (callback, _completion) = nodeback::callback();
    callback(None, Some(1));
    let signal = log.recording(move || callback(None, Some(2)));
    let again = line!() - 1;
    thread::scope(|scope| scope.spawn(signal).join().unwrap());
    assert!(log.warnings()[0].fields["duplicate"].starts_with(&line(again)));
}

#[test]
fn signal_after_the_completion_was_dropped_is_reported() {
    let log = Log::start();
    let (callback, completion) = nodeback::callback();
    drop(completion);
    callback.succeed(1);
    assert_eq!(
        log.warnings()[0].fields["first"],
        CallSite::Closed.to_string()
    );
}

#[test]
fn drop_after_a_signal_is_silent() {
    let log = Log::start();
    let (callback, completion) = nodeback::callback();
    let clone = callback.clone();
    callback.succeed(1);
    drop((clone, completion));
    assert!(log.warnings().is_empty());
}

#[test]
fn rejection_that_try_settle_returns_is_not_logged() {
    let log = Log::start();
    let (callback, _completion) = nodeback::callback();
    callback(None, Some(1));
    assert!(callback.try_settle(Ok::<_, Error>(2)).is_err());
    assert!(log.warnings().is_empty());
}

#[test]
fn flood_of_signals_leaves_a_bounded_log() {
    let log = Log::start();
    let (callback, completion) = nodeback::callback();
    for n in 0..10_000 {
        callback(None, Some(n));
    }
    let warnings = log.warnings();
    assert_eq!(warnings.len(), 17);
    assert!(warnings[16].message.contains("only counted"));
    assert_eq!(completion.wait().unwrap(), Some(0));
}

#[tokio::test]
async fn try_settle_is_counted_with_the_call_site_of_its_caller() {
    static CALLED: std::sync::atomic::AtomicUsize = AtomicUsize::new(0);
    let handler = |_: Value, _: nodeback::Context, callback: Callback| {
        let clone = callback.clone();
        callback.succeed(json!(1));
        CALLED.store(line!() as usize + 1, SeqCst);
        let _ = clone.try_settle(Ok::<_, Error>(json!(2)));
    };
    let outcome = nodeback::invoke(handler, (), nodeback::Context::default()).await;
    let duplicate = outcome.duplicate_signals[0].duplicate.to_string();
    let called = u32::try_from(CALLED.load(SeqCst)).unwrap();
    assert!(duplicate.starts_with(&line(called)), "{duplicate}");
}
