//! Specifies a callback and its completion, without any handler: one signal wins, none is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::Log;
use futures::{
    future::FusedFuture,
    task::{ArcWake, waker},
};
use nodeback::{CallSite, Callback, Completion, Error, Value, error, json};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

/// Long enough for anything, in a test that fails by hanging.
const AMPLE: Duration = Duration::from_secs(60);

/// The start of a place in this file, up to its column.
fn line(line: u32) -> String {
    format!("{}:{line}:", file!())
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl ArcWake for Wakes {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.fetch_add(1, SeqCst);
    }
}

fn poll<R>(completion: &mut Completion<R>, wakes: &Arc<Wakes>) -> Poll<Result<Option<R>, Error>> {
    Pin::new(completion).poll(&mut Context::from_waker(&waker(Arc::clone(wakes))))
}

/// The outcome, which has to be there already.
fn now<R>(completion: &mut Completion<R>) -> Result<Option<R>, Error> {
    match poll(completion, &Arc::default()) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("not signalled"),
    }
}

fn is_pending<R>(completion: &mut Completion<R>) -> bool {
    poll(completion, &Arc::default()).is_pending()
}

/// Counts its drops.
#[derive(Debug)]
struct Payload(Arc<AtomicUsize>);

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl std::fmt::Display for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("payload")
    }
}

impl std::error::Error for Payload {}

fn payload() -> (Payload, impl Fn() -> usize) {
    let drops = Arc::new(AtomicUsize::new(0));
    (Payload(Arc::clone(&drops)), move || drops.load(SeqCst))
}

mod signalling {
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
    fn try_settle_gives_a_refused_signal_back() {
        let (callback, completion) = nodeback::callback();
        let clones = (callback.clone(), callback.clone());
        callback.succeed(1);
        let first = line!() - 1;

        let refused = clones.0.try_settle(Ok::<_, Error>(2)).unwrap_err();
        assert!(refused.first().to_string().starts_with(&line(first)));
        assert_eq!(
            refused.to_string(),
            format!("the callback was already signalled at {}", refused.first()),
        );
        assert_eq!(refused.into_inner().unwrap(), Some(2));

        let refused = clones.1.try_settle(Err("late")).unwrap_err();
        assert_eq!(refused.into_inner().unwrap_err().message(), "late");
        assert_eq!(completion.wait().unwrap(), Some(1));
    }

    #[test]
    fn is_signalled_tells_of_any_handle() {
        let (callback, completion) = nodeback::callback();
        let clone = callback.clone();
        assert!(!callback.is_signalled());
        clone.succeed(1);
        assert!(callback.is_signalled());
        let _ = completion.wait();
        assert!(callback.is_signalled());
    }
}

mod first_wins {
    use super::*;

    #[test]
    fn through_one_handle() {
        let (callback, completion) = nodeback::callback();
        callback(None, Some(1));
        callback(None, Some(2));
        callback(Some(error!("late")), None);
        assert_eq!(completion.wait().unwrap(), Some(1));
    }

    #[test]
    fn error_before_a_result() {
        let (callback, completion) = nodeback::callback();
        callback(Some(error!("first")), None);
        callback(None, Some(2));
        assert_eq!(completion.wait().unwrap_err().message(), "first");
    }

    #[test]
    fn across_clones() {
        let (callback, completion) = nodeback::callback();
        let (a, b) = (callback.clone(), callback.clone());
        b.succeed("b");
        a.succeed("a");
        callback.succeed("callback");
        assert_eq!(completion.wait().unwrap(), Some("b"));
    }

    #[tokio::test]
    async fn across_tasks() {
        let (callback, completion) = nodeback::callback();
        let (first, second) = (callback.clone(), callback);
        let first = tokio::spawn(async move { first.succeed("first") });
        let second = tokio::spawn(async move {
            first.await.unwrap();
            second.succeed("second");
        });
        second.await.unwrap();
        assert_eq!(completion.await.unwrap(), Some("first"));
    }

    #[test]
    fn across_threads() {
        let (callback, completion) = nodeback::callback();
        let (first, second) = (callback.clone(), callback);
        thread::spawn(move || first.succeed("first"))
            .join()
            .unwrap();
        thread::spawn(move || second.succeed("second"))
            .join()
            .unwrap();
        assert_eq!(completion.wait().unwrap(), Some("first"));
    }

    #[test]
    fn after_the_outcome_was_taken() {
        let (callback, mut completion) = nodeback::callback();
        callback(None, Some(1));
        assert_eq!(now(&mut completion).unwrap(), Some(1));
        callback(None, Some(2));
        assert!(is_pending(&mut completion));
    }
}

mod function_values {
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
    fn dropped_uncalled_it_is_lost() {
        let (callback, mut completion) = nodeback::callback::<u8>();
        let done = callback.into_once::<Error, _>();
        assert!(is_pending(&mut completion));
        drop(done);
        let error = now(&mut completion).unwrap_err();
        assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
    }

    #[test]
    fn refused_it_names_where_it_was_made() {
        let log = Log::start();
        let (callback, _completion) = nodeback::callback();
        callback(None, Some(1));
        let done = callback.into_error_only();
        let made = line!() - 1;
        done("late");
        assert!(log.warnings()[0].fields["duplicate"].starts_with(&line(made)));
    }
}

mod from_fn {
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
    fn error_comes_without_the_result_beside_it() {
        let (callback, outcomes) = recorded();
        callback(Some(error!("boom")), Some(json!(1)));
        let given = outcomes.try_recv().unwrap();
        assert_eq!(given, (Some("Error: boom".into()), None));
    }

    #[test]
    fn second_signal_is_refused_and_reported() {
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
    fn last_clone_dropped_gives_it_the_error() {
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
    fn forwarded_loss_reaches_the_completion() {
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
}

mod completion {
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
    fn wakes_who_polled_last() {
        let (callback, mut completion) = nodeback::callback();
        let (before, after) = (Arc::default(), Arc::default());
        assert!(poll(&mut completion, &before).is_pending());
        assert!(poll(&mut completion, &after).is_pending());
        callback.succeed(1);
        assert_eq!((before.count(), after.count()), (0, 1));
    }

    #[test]
    fn drop_of_one_clone_wakes_nobody_and_of_the_last_wakes_once() {
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
    fn fused_when_its_outcome_was_taken() {
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
    fn wait_timeout_gives_up_and_loses_nothing() {
        let (callback, mut completion) = nodeback::callback();
        assert!(completion.wait_for(Duration::ZERO).is_err());
        assert!(completion.wait_for(Duration::from_millis(1)).is_err());
        callback.succeed(1);
        assert_eq!(completion.wait_for(AMPLE).unwrap().unwrap(), Some(1));
        assert!(completion.wait_for(Duration::ZERO).is_err());
    }

    #[test]
    fn wait_timeout_may_be_longer_than_any_clock() {
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
    async fn timeout_round_it_loses_nothing() {
        let (callback, mut completion) = nodeback::callback();
        assert!(tokio::time::timeout(AMPLE, &mut completion).await.is_err());
        callback.succeed(1);
        assert_eq!(completion.await.unwrap(), Some(1));
    }

    #[test]
    fn dropped_it_refuses_every_signal() {
        let (callback, completion) = nodeback::callback();
        drop(completion);
        assert!(callback.is_signalled());
        let refused = callback.try_settle(Ok::<_, Error>(1)).unwrap_err();
        assert_eq!(refused.first(), CallSite::Closed);
        assert_eq!(refused.into_inner().unwrap(), Some(1));
    }

    #[test]
    fn dropped_with_its_outcome_it_still_names_the_first_signal() {
        let (callback, completion) = nodeback::callback();
        let clone = callback.clone();
        callback.succeed(1);
        drop(completion);
        let refused = clone.try_settle(Ok::<_, Error>(2)).unwrap_err();
        assert!(matches!(refused.first(), CallSite::Call { .. }));
    }
}

mod lost {
    use super::*;

    fn error_of(lose: impl FnOnce(Callback<u8>)) -> Error {
        let (callback, mut completion) = nodeback::callback();
        lose(callback);
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
    fn clone_that_lives_keeps_it() {
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
    fn message_says_when_a_panic_dropped_it_and_on_which_thread() {
        let error = error_of(|callback| {
            let thread = thread::Builder::new().name("worker".into());
            let thread = thread.spawn(move || {
                let _lost = callback;
                panic!("boom");
            });
            thread.unwrap().join().unwrap_err();
        });
        let end = "was dropped by a panic on thread `worker`";
        assert!(error.message().ends_with(end), "{error}");
    }

    #[test]
    fn borrow_for_a_literal_call_does_not_keep_it() {
        let error = error_of(|callback| {
            let _: &dyn Fn(Option<Error>, Option<u8>) = &*callback;
        });
        assert!(error.message().contains("the callback itself"), "{error}");
    }
}

mod refused {
    use super::*;

    #[test]
    fn every_way_of_signalling_reports_both_places() {
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
    fn literal_call_reports_its_own_place_when_its_arguments_call_another_callback() {
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
    fn nested_literal_calls_report_each_its_own_place() {
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
    fn signal_from_a_thread_reports_its_place() {
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
    fn signal_after_a_loss_cannot_be_and_a_drop_after_a_signal_is_silent() {
        let log = Log::start();
        let (callback, completion) = nodeback::callback();
        let clone = callback.clone();
        callback.succeed(1);
        drop((clone, completion));
        assert!(log.warnings().is_empty());
    }

    #[test]
    fn try_settle_tells_its_caller_and_not_the_log() {
        let log = Log::start();
        let (callback, _completion) = nodeback::callback();
        callback(None, Some(1));
        assert!(callback.try_settle(Ok::<_, Error>(2)).is_err());
        assert!(log.warnings().is_empty());
    }

    #[test]
    fn flood_leaves_a_bounded_log() {
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
}

mod payloads_are_dropped_once {
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
    fn when_beaten_by_an_error_beside_it() {
        let (callback, _completion) = nodeback::callback();
        let ((result, results), (error, errors)) = (payload(), payload());
        callback(Some(error.into()), Some(result));
        assert_eq!((results(), errors()), (1, 0));
    }

    #[test]
    fn when_refused() {
        let (callback, _completion) = nodeback::callback();
        let ((first, firsts), (second, seconds), (error, errors)) =
            (payload(), payload(), payload());
        callback(None, Some(first));
        callback(None, Some(second));
        callback.fail(error);
        assert_eq!((firsts(), seconds(), errors()), (0, 1, 1));
    }

    #[test]
    fn when_refused_and_given_back() {
        let (callback, _completion) = nodeback::callback();
        let ((first, _), (second, drops)) = (payload(), payload());
        callback(None, Some(first));
        let refused = callback.try_settle(Ok::<_, Error>(second)).unwrap_err();
        assert_eq!(drops(), 0);
        drop(refused.into_inner());
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
    fn when_the_wrapper_that_holds_it_is_called_or_lost() {
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
}

mod races {
    use super::*;

    const PAIRS: usize = 20_000;

    type Pairs<R> = (Vec<Callback<R>>, Vec<Callback<R>>, Vec<Completion<R>>);

    fn pairs<R: Send + 'static>() -> Pairs<R> {
        let (mut left, mut right, mut completions) = (vec![], vec![], vec![]);
        for _ in 0..PAIRS {
            let (callback, completion) = nodeback::callback();
            left.push(callback.clone());
            right.push(callback);
            completions.push(completion);
        }
        (left, right, completions)
    }

    /// Runs both at the same time.
    fn race<A: Send, B: Send>(
        a: impl FnOnce() -> A + Send,
        b: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let b = scope.spawn(|| {
                start.wait();
                b()
            });
            start.wait();
            (a(), b.join().unwrap())
        })
    }

    #[test]
    fn two_signals_have_one_winner_and_one_outcome() {
        let (left, right, completions) = pairs();
        let signal = |callbacks: Vec<Callback<&'static str>>, name| {
            callbacks
                .into_iter()
                .map(|callback| callback.try_settle(Ok::<_, Error>(name)).is_ok())
                .collect::<Vec<_>>()
        };
        let (left, right) = race(|| signal(left, "left"), || signal(right, "right"));
        for ((left, right), mut completion) in left.into_iter().zip(right).zip(completions) {
            assert!(left != right);
            let winner = if left { "left" } else { "right" };
            assert_eq!(now(&mut completion).unwrap(), Some(winner));
        }
    }

    #[test]
    fn signal_beats_the_drop_of_another_clone() {
        let (left, right, completions) = pairs();
        race(
            || left.into_iter().for_each(|callback| callback.succeed(1)),
            || drop(right),
        );
        for mut completion in completions {
            assert_eq!(now(&mut completion).unwrap(), Some(1));
        }
    }

    #[test]
    fn two_drops_are_one_loss() {
        let (left, right, completions) = pairs::<u8>();
        race(|| drop(left), || drop(right));
        for mut completion in completions {
            let error = now(&mut completion).unwrap_err();
            assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
            assert!(is_pending(&mut completion));
        }
    }

    #[test]
    fn signal_against_a_poll_is_seen_or_wakes() {
        let (left, right, mut completions) = pairs();
        drop(right);
        let wakes: Vec<Arc<Wakes>> = (0..PAIRS).map(|_| Arc::default()).collect();
        let (_, pending) = race(
            || left.into_iter().for_each(|callback| callback.succeed(1)),
            || {
                let polls = completions.iter_mut().zip(&wakes);
                polls
                    .map(|(completion, wakes)| poll(completion, wakes).is_pending())
                    .collect::<Vec<_>>()
            },
        );
        for (pending, wakes) in pending.into_iter().zip(wakes) {
            assert_eq!(wakes.count(), usize::from(pending));
        }
    }

    #[test]
    fn signal_against_a_close_drops_its_payload_once() {
        let (left, right, completions) = pairs();
        drop(right);
        let drops = Arc::new(AtomicUsize::new(0));
        race(
            || {
                for callback in left {
                    let _ = callback.try_settle(Ok::<_, Error>(Payload(Arc::clone(&drops))));
                }
            },
            || drop(completions),
        );
        assert_eq!(drops.load(SeqCst), PAIRS);
    }
}
