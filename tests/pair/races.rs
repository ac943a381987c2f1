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
fn race<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
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
fn two_drops_are_one_error() {
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
