//! Races the handles of a completion against its waiter on real threads. Each completion must have
//! exactly one outcome, every payload must be dropped exactly once, and every losing signal must be
//! reported.
//!
//! `NODEBACK_SEED` determines what the threads do, but not how they interleave. `NODEBACK_FULL=1`
//! races 9,500,000 completions and 500,000 invocations.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use futures::{FutureExt, future::FusedFuture, task::ArcWake};
use nodeback::{CallSite, Callback, Completion, Context, Error, Outcome, Runtime, Value};
use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use std::{
    cell::Cell,
    fmt, hint,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tracing::{Level, Metadata, Subscriber, span};

/// The number of completions in one round, between two barriers.
const BATCH: usize = 256;

/// A time limit that only a hang exceeds.
const AMPLE: Duration = Duration::from_secs(60);

fn size(ci: usize, full: usize) -> usize {
    if std::env::var_os("NODEBACK_FULL").is_some_and(|full| full == "1") {
        full
    } else {
        ci
    }
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn of_this_run() -> Self {
        let seed = match std::env::var("NODEBACK_SEED") {
            Ok(seed) => seed.parse().expect("NODEBACK_SEED is a number"),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(1, |since| since.as_nanos() as u64),
        };
        println!("NODEBACK_SEED={seed}");
        Random(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn fork(&mut self) -> Self {
        Random(self.next().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
}

thread_local! {
    /// The number of warnings that this thread has logged. A signal without a return value reports
    /// that it has lost only as a warning.
    static WARNINGS: Cell<usize> = const { Cell::new(0) };
}

struct CountWarnings;

impl Subscriber for CountWarnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        WARNINGS.set(WARNINGS.get() + 1);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn count_warnings() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(CountWarnings).unwrap());
}

/// A record of all that happens to one completion.
#[derive(Default)]
struct Item {
    /// One bit for each payload.
    made: AtomicU64,
    dropped: AtomicU64,
    signals: AtomicU32,
    rejected: AtomicU32,
    /// The payloads of the accepted signal and of the outcome.
    winner: Once,
    outcome: Once,
    /// The waiter was dropped before the outcome, so that a signal may be rejected although none
    /// was accepted.
    waiter_dropped: AtomicBool,
}

/// A cell that is set at most once; 0 means that it is not set.
#[derive(Default)]
struct Once(AtomicU64);

impl Once {
    fn set(&self, token: u64) {
        let before = self.0.swap(token, SeqCst);
        assert_eq!(before, 0, "set to {token:#x} after {before:#x}");
    }

    fn get(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// A success without a result; no payload has this bit.
const NOTHING: u64 = 1 << 62;
/// `Runtime.CallbackNotCalled`.
const NOT_CALLED: u64 = 1 << 61;
/// `Sandbox.Timedout`.
const TIMED_OUT: u64 = 1 << 60;

/// A value that serves as result and as error. Its token is its bit in the record.
struct Payload {
    item: Arc<Item>,
    token: u64,
}

impl Payload {
    fn new(item: &Arc<Item>) -> Self {
        let mut token = 0;
        let next = |made: u64| {
            token = made + 1;
            Some(made | token)
        };
        // `made` has its lowest bits set, so `made + 1` is the lowest bit that is free.
        item.made.fetch_update(SeqCst, SeqCst, next).unwrap();
        assert!(token < TIMED_OUT, "too many payloads");
        Payload {
            item: Arc::clone(item),
            token,
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        let before = self.item.dropped.fetch_or(self.token, SeqCst);
        assert_eq!(before & self.token, 0, "a payload was dropped twice");
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.token)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.token)
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("payload")
    }
}

impl std::error::Error for Payload {}

fn token_of_error(error: &Error) -> u64 {
    match (error.downcast_ref::<Payload>(), error.error_type()) {
        (Some(payload), _) => payload.token,
        (None, "Runtime.CallbackNotCalled") => NOT_CALLED,
        (None, "Sandbox.Timedout") => TIMED_OUT,
        (None, _) => panic!("an unexpected error: {error:?}"),
    }
}

fn token_of(outcome: &Result<Option<Payload>, Error>) -> u64 {
    match outcome {
        Ok(Some(payload)) => payload.token,
        Ok(None) => NOTHING,
        Err(error) => token_of_error(error),
    }
}

impl Item {
    /// Signals, and records whether the signal was accepted. `signal` returns that, if it can tell.
    fn signal(&self, token: u64, signal: impl FnOnce() -> Option<bool>) {
        self.signals.fetch_add(1, SeqCst);
        let warnings = WARNINGS.get();
        let accepted = signal();
        let warned = WARNINGS.get() - warnings;
        assert!(warned <= 1, "one lost signal was reported {warned} times");
        if warned == 0 && accepted != Some(false) {
            self.winner.set(token);
        } else {
            self.rejected.fetch_add(1, SeqCst);
        }
    }

    /// Checks the record after all handles and the waiter were dropped.
    fn check(&self) {
        let made = self.made.load(SeqCst);
        assert_eq!(made, self.dropped.load(SeqCst), "payloads made and dropped");
        let (winner, outcome) = (self.winner.get(), self.outcome.get());
        let (signals, rejected) = (self.signals.load(SeqCst), self.rejected.load(SeqCst));
        assert_eq!(
            u32::from(winner != 0) + rejected,
            signals,
            "accepted plus rejected"
        );
        if self.waiter_dropped.load(SeqCst) {
            assert_eq!(outcome, 0, "an outcome without a waiter");
        } else if outcome == TIMED_OUT {
            assert_eq!(winner, 0, "a signal was accepted, and yet it timed out");
        } else if signals == 0 {
            assert_eq!(outcome, NOT_CALLED, "there was no signal");
        } else {
            assert_eq!(outcome, winner, "the outcome is the winner's");
            assert_ne!(outcome, 0, "no outcome");
        }
    }
}

/// Consumes one handle in a random way.
fn consume(item: &Arc<Item>, callback: Callback<Payload>, random: &mut Random) {
    let payload = || Payload::new(item);
    let error = || Error::from(payload());
    match random.below(19) {
        0 | 1 => {
            let payload = payload();
            item.signal(payload.token, || {
                callback.succeed(payload);
                None
            });
        }
        2 => {
            let payload = payload();
            item.signal(payload.token, || {
                callback.fail(payload);
                None
            });
        }
        3 => {
            let payload = payload();
            item.signal(payload.token, || {
                callback.settle(Err(payload));
                None
            });
        }
        4 => {
            let (error, result) = (error(), payload());
            // The error counts, and the result is dropped.
            item.signal(token_of_error(&error), || {
                callback.call(Some(error), Some(result));
                None
            });
        }
        5 => item.signal(NOTHING, || {
            callback.call(None, None);
            None
        }),
        6 | 7 => literally(item, &callback),
        8 => {
            literally(item, &callback);
            literally(item, &callback);
        }
        9..=11 => {
            let payload = payload();
            let token = payload.token;
            let outcome = if random.below(2) == 0 {
                Ok(payload)
            } else {
                Err(payload)
            };
            item.signal(token, || match callback.try_settle(outcome) {
                Ok(()) => Some(true),
                Err(rejected) => {
                    assert_ne!(
                        rejected.first(),
                        CallSite::Dropped,
                        "this handle was not dropped"
                    );
                    assert_eq!(token_of(&rejected.into_inner()), token, "given back");
                    Some(false)
                }
            });
        }
        12 => {
            let payload = payload();
            let done = callback.into_once::<Error, _>();
            item.signal(payload.token, || {
                done(Ok(payload));
                None
            });
        }
        13 => {
            let error = error();
            let done = callback.into_error_first();
            item.signal(token_of_error(&error), || {
                done(Some(error), None);
                None
            });
        }
        14 => {
            let payload = payload();
            let done = callback.into_error_only();
            item.signal(payload.token, || {
                done(payload);
                None
            });
        }
        15 => {
            let clone = callback.clone();
            consume(item, callback, random);
            consume(item, clone, random);
        }
        16 => drop(callback.into_once::<Error, _>()),
        17 if random.below(8) == 0 => {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _callback = callback;
                // Does not run the panic hook, which would print a message.
                resume_unwind(Box::new("dropped by a panic"));
            }));
            assert!(panicked.is_err());
        }
        _ => drop(callback),
    }
}

fn literally(item: &Arc<Item>, callback: &Callback<Payload>) {
    let payload = Payload::new(item);
    item.signal(payload.token, || {
        callback(None, Some(payload));
        None
    });
    assert!(callback.is_signalled(), "after its own signal");
}

/// Waits, or stops waiting, in a random way.
fn wait(item: &Item, mut completion: Completion<Payload>, random: &mut Random) {
    let drop_waiter = |completion| {
        item.waiter_dropped.store(true, SeqCst);
        drop(completion);
    };
    let outcome = match random.below(8) {
        0 => return drop_waiter(completion),
        1 => {
            // Dropped after one poll.
            let Some(outcome) = (&mut completion).now_or_never() else {
                return drop_waiter(completion);
            };
            outcome
        }
        2 => loop {
            let timeout = Duration::from_nanos(random.below(2_000));
            if let Ok(outcome) = completion.wait_for(timeout) {
                break outcome;
            }
        },
        3 | 4 => polled(&mut completion),
        _ => completion
            .wait_for(AMPLE)
            .expect("an outcome, unless the wake was lost"),
    };
    item.outcome.set(token_of(&outcome));
    assert!(completion.is_terminated(), "after its outcome");
    let again = (&mut completion).now_or_never();
    assert!(again.is_none(), "a second outcome");
}

/// Polls again only when woken, so that a lost wake shows up as a hang.
fn polled(completion: &mut Completion<Payload>) -> Result<Option<Payload>, Error> {
    struct Woken(AtomicBool);
    impl ArcWake for Woken {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.store(true, SeqCst);
        }
    }

    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = futures::task::waker(Arc::clone(&woken));
    let until = Instant::now() + AMPLE;
    loop {
        let polled = completion.poll_unpin(&mut task::Context::from_waker(&waker));
        if let task::Poll::Ready(outcome) = polled {
            return outcome;
        }
        while !woken.0.swap(false, SeqCst) {
            assert!(Instant::now() < until, "never woken");
            thread::yield_now();
        }
    }
}

/// A barrier at which threads spin instead of sleeping, so that they really start at the same time.
struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    /// A thread has panicked, so the others must not wait for it.
    broken: AtomicBool,
}

impl Barrier {
    fn new(threads: usize) -> Self {
        Barrier {
            threads,
            arrived: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    fn wait(&self) {
        let mine = self.arrived.fetch_add(1, SeqCst);
        let all = (mine / self.threads + 1) * self.threads;
        let mut spins = 0;
        while self.arrived.load(SeqCst) < all {
            assert!(!self.broken.load(SeqCst), "another thread failed");
            spins += 1;
            if spins % 128 == 0 {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
    }
}

struct BrokenByPanic<'a>(&'a Barrier);

impl Drop for BrokenByPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, SeqCst);
        }
    }
}

/// What one thread does with one completion.
struct Job {
    item: Arc<Item>,
    callbacks: Vec<Callback<Payload>>,
    /// One handle that several threads call at once.
    shared: Option<Arc<Callback<Payload>>>,
    completion: Option<Completion<Payload>>,
    random: Random,
}

impl Job {
    fn run(mut self) {
        for _ in 0..self.random.below(16) {
            hint::spin_loop();
        }
        if let Some(shared) = self.shared {
            literally(&self.item, &shared);
        }
        for callback in self.callbacks {
            consume(&self.item, callback, &mut self.random);
        }
        // Waits last: otherwise, a thread could wait for its own signal.
        if let Some(completion) = self.completion {
            wait(&self.item, completion, &mut self.random);
        }
    }
}

/// Records the drop of a function that was never called.
struct Uncalled(Arc<Item>);

impl Drop for Uncalled {
    fn drop(&mut self) {
        if self.0.outcome.get() == 0 {
            self.0.outcome.set(NOT_CALLED);
        }
    }
}

/// Creates one completion and distributes its handles among the threads.
fn distribute(jobs: &mut [Vec<Job>], random: &mut Random) -> Arc<Item> {
    let item = Arc::new(Item::default());
    let (mut callback, completion) = nodeback::callback();
    let mut completion = Some(completion);
    match random.below(4) {
        // A function takes the outcome, instead of a waiter.
        0 => {
            completion = None;
            let dropped = Uncalled(Arc::clone(&item));
            callback = Callback::from_fn(move |error: Option<Error>, result| {
                let Uncalled(item) = &dropped;
                item.outcome.set(token_of(&error.map_or(Ok(result), Err)));
            });
        }
        // A wrapper around the callback.
        1 => callback = Callback::from_fn(callback.into_error_first()),
        _ => {}
    }
    let shared = (random.below(8) == 0).then(|| Arc::new(callback.clone()));
    let waits = random.below(jobs.len() as u64) as usize;
    let idle = random.below(2 * jobs.len() as u64) as usize;
    for (thread, jobs) in jobs.iter_mut().enumerate() {
        let callbacks = if thread == idle {
            vec![]
        } else {
            vec![callback.clone(); 1 + usize::from(random.below(8) == 0)]
        };
        jobs.push(Job {
            item: Arc::clone(&item),
            callbacks,
            shared: shared.clone(),
            completion: completion.take_if(|_| thread == waits),
            random: random.fork(),
        });
    }
    item
}

fn race(threads: usize, completions: usize, random: &mut Random) {
    let barrier = Barrier::new(threads);
    let hands: Vec<_> = (0..threads).map(|_| Mutex::new(Vec::new())).collect();
    let rounds = completions.div_ceil(BATCH);
    let run = |thread: usize| {
        barrier.wait();
        let jobs: Vec<Job> = std::mem::take(&mut *hands[thread].lock());
        barrier.wait();
        jobs.into_iter().for_each(Job::run);
        barrier.wait();
    };
    thread::scope(|scope| {
        for thread in 1..threads {
            let (barrier, run) = (&barrier, &run);
            scope.spawn(move || {
                let _broken = BrokenByPanic(barrier);
                (0..rounds).for_each(|_| run(thread));
            });
        }
        let _broken = BrokenByPanic(&barrier);
        for _ in 0..rounds {
            let mut jobs: Vec<_> = (0..threads).map(|_| Vec::with_capacity(BATCH)).collect();
            let items: Vec<_> = (0..BATCH).map(|_| distribute(&mut jobs, random)).collect();
            for (hand, jobs) in hands.iter().zip(jobs) {
                *hand.lock() = jobs;
            }
            run(0);
            items.iter().for_each(|item| item.check());
        }
    });
}

#[test]
fn raced_completions_have_one_outcome_each() {
    count_warnings();
    let random = &mut Random::of_this_run();
    let completions = size(190_000, 9_500_000);
    let start = Instant::now();
    // Half of the completions are raced by two threads, which also run in parallel on two cores.
    race(2, completions / 2, random);
    race(3, completions / 4, random);
    race(4, completions / 4, random);
    println!("{completions} completions in {:.1?}", start.elapsed());
}

/// A handle of an invocation that a thread consumes.
enum Handle {
    Callback(Callback<Payload>),
    Context(Context),
}

impl Handle {
    fn consume(self, item: &Arc<Item>, random: &mut Random) {
        let context = match self {
            Handle::Callback(callback) => return consume(item, callback, random),
            Handle::Context(context) => context,
        };
        match random.below(5) {
            0 => {
                let payload = Payload::new(item);
                item.signal(payload.token, || {
                    context.succeed(payload);
                    None
                });
            }
            1 => {
                let payload = Payload::new(item);
                item.signal(payload.token, || {
                    context.fail(payload);
                    None
                });
            }
            2 => item.signal(NOTHING, || {
                context.done(None, None);
                None
            }),
            3 => consume(item, context.done_callback(), random),
            _ => drop(context),
        }
    }
}

type Hand = Vec<(Arc<Item>, Handle, Random)>;

#[test]
fn raced_invocations_have_one_outcome_each() {
    const BATCH: usize = 32;
    count_warnings();
    let random = &mut Random::of_this_run();
    let invocations = size(10_000, 500_000);
    let start = Instant::now();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let barrier = Barrier::new(3);
    let hands = [Mutex::new(Hand::new()), Mutex::new(Hand::new())];
    let rounds = invocations.div_ceil(BATCH);
    let mut timed_out = 0;
    thread::scope(|scope| {
        for hand in &hands {
            let barrier = &barrier;
            scope.spawn(move || {
                let _broken = BrokenByPanic(barrier);
                for _ in 0..rounds {
                    barrier.wait();
                    let handles = std::mem::take(&mut *hand.lock());
                    for (item, handle, mut random) in handles {
                        handle.consume(&item, &mut random);
                    }
                    barrier.wait();
                }
            });
        }
        let _broken = BrokenByPanic(&barrier);
        for _ in 0..rounds {
            let items: Vec<Arc<Item>> = (0..BATCH).map(|_| Arc::default()).collect();
            let outcomes = tokio.block_on(round(&items, &hands, &barrier, random));
            barrier.wait();
            for (item, outcome) in items.iter().zip(outcomes) {
                timed_out += usize::from(settle(item, outcome));
            }
        }
    });
    let took = start.elapsed();
    println!("{invocations} invocations, {timed_out} of them timed out, in {took:.1?}");
}

/// Starts invocations, hands their handles to the threads, and advances the clock in the meantime.
async fn round(
    items: &[Arc<Item>],
    hands: &[Mutex<Hand>; 2],
    barrier: &Barrier,
    random: &mut Random,
) -> Vec<Outcome> {
    let handles_of_all = Arc::new(Mutex::new(Vec::new()));
    let invocations = items.iter().map(|_| {
        let handles_of_all = Arc::clone(&handles_of_all);
        let handler = move |_: Value, context: Context, callback: Callback<Payload>| {
            handles_of_all.lock().push((callback, context));
        };
        let timeout = Duration::from_millis(1 + random.below(8));
        async move {
            let context = Context::builder().timeout(timeout).build();
            Runtime::new(handler).invoke((), context).await
        }
    });
    let mut invocations = futures::future::join_all(invocations);
    assert!((&mut invocations).now_or_never().is_none());
    for (item, (callback, context)) in items.iter().zip(handles_of_all.lock().drain(..)) {
        let handles = [
            Handle::Callback(callback.clone()),
            Handle::Callback(callback),
            Handle::Context(context),
        ];
        let first = random.below(2) as usize;
        for (at, handle) in handles.into_iter().enumerate() {
            let job = (Arc::clone(item), handle, random.fork());
            hands[(first + at) % 2].lock().push(job);
        }
    }
    let time = async {
        barrier.wait();
        for _ in 0..8 {
            for _ in 0..random.below(64) {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    };
    tokio::join!(invocations, time).0
}

/// Records the outcome and checks the record. Returns whether the invocation timed out.
fn settle(item: &Item, outcome: Outcome) -> bool {
    let token = match &outcome.result {
        Ok(Value::Null) => NOTHING,
        Ok(token) => token.as_u64().unwrap(),
        Err(error) => token_of_error(error),
    };
    let duplicates = outcome.duplicate_signal_count;
    assert!(
        duplicates <= item.rejected.load(SeqCst) as usize,
        "a duplicate signal was counted twice"
    );
    drop(outcome);
    item.outcome.set(token);
    item.check();
    token == TIMED_OUT
}
