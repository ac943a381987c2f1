//! Races the ends of a completion over real threads: each has exactly one outcome, every payload
//! is dropped exactly once, and a loser is told.
//!
//! `NODEBACK_SEED` sets what the threads do (not how they interleave); `NODEBACK_FULL=1` races
//! 10,000,000 completions.

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

/// How many completions one round races between two meetings of the threads.
const BATCH: usize = 256;

/// Long enough for anything, in a test that fails by hanging.
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
    /// How many warnings this thread has logged: a loser that asks nothing is told so.
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

/// The ledger of one completion.
#[derive(Default)]
struct Item {
    /// One bit for each payload.
    made: AtomicU64,
    dropped: AtomicU64,
    signals: AtomicU32,
    refused: AtomicU32,
    /// The payload of the signal that was accepted, and of the outcome.
    winner: Once,
    outcome: Once,
    /// The waiting end went before its outcome, so that a signal may be refused by nobody's win.
    given_up: AtomicBool,
}

/// A cell that is set once at most; 0 means not yet.
#[derive(Default)]
struct Once(AtomicU64);

impl Once {
    fn set(&self, token: u64) {
        let before = self.0.swap(token, SeqCst);
        assert_eq!(before, 0, "a second one, {token:#x}, after {before:#x}");
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

/// Result and error in one. Its token is its bit in the ledger.
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
        // The bits are taken from the lowest up.
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
        (None, _) => panic!("an error of nobody: {error:?}"),
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
    /// Signals, and books whether that was accepted. `signal` says so, if it is told.
    fn signal(&self, token: u64, signal: impl FnOnce() -> Option<bool>) {
        self.signals.fetch_add(1, SeqCst);
        let warnings = WARNINGS.get();
        let told = signal();
        let warned = WARNINGS.get() - warnings;
        assert!(warned <= 1, "one loss was reported {warned} times");
        if warned == 0 && told != Some(false) {
            self.winner.set(token);
        } else {
            self.refused.fetch_add(1, SeqCst);
        }
    }

    /// After all ends are gone.
    fn check(&self) {
        let made = self.made.load(SeqCst);
        assert_eq!(made, self.dropped.load(SeqCst), "payloads made and dropped");
        let (winner, outcome) = (self.winner.get(), self.outcome.get());
        let (signals, refused) = (self.signals.load(SeqCst), self.refused.load(SeqCst));
        assert_eq!(u32::from(winner != 0) + refused, signals, "won and refused");
        if self.given_up.load(SeqCst) {
            assert_eq!(outcome, 0, "an outcome for nobody");
        } else if outcome == TIMED_OUT {
            assert_eq!(winner, 0, "accepted, and yet timed out");
        } else if signals == 0 {
            assert_eq!(outcome, NOT_CALLED, "nobody signalled");
        } else {
            assert_eq!(outcome, winner, "the outcome is the winner's");
            assert_ne!(outcome, 0, "no outcome");
        }
    }
}

/// Uses up one handle in one of the ways that there are.
fn use_up(item: &Arc<Item>, callback: Callback<Payload>, random: &mut Random) {
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
                Err(refused) => {
                    assert_ne!(
                        refused.first(),
                        CallSite::Dropped,
                        "this handle was not lost"
                    );
                    assert_eq!(token_of(&refused.into_inner()), token, "given back");
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
            use_up(item, callback, random);
            use_up(item, clone, random);
        }
        16 => drop(callback.into_once::<Error, _>()),
        17 if random.below(8) == 0 => {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _callback = callback;
                // Past the hook, which would print.
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
    assert!(callback.is_signalled(), "after a signal of its own");
}

/// Waits, or does not, in one of the ways that there are.
fn wait(item: &Item, mut completion: Completion<Payload>, random: &mut Random) {
    let give_up = |completion| {
        item.given_up.store(true, SeqCst);
        drop(completion);
    };
    let outcome = match random.below(8) {
        0 => return give_up(completion),
        1 => {
            // Cancelled while it waits.
            let Some(outcome) = (&mut completion).now_or_never() else {
                return give_up(completion);
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
        _ => completion.wait_for(AMPLE).expect("lost, or a hang"),
    };
    item.outcome.set(token_of(&outcome));
    assert!(completion.is_terminated(), "after its outcome");
    let again = (&mut completion).now_or_never();
    assert!(again.is_none(), "a second outcome");
}

/// Polls again only when woken, so that a lost wake is a hang.
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

/// Threads meet here without sleeping, so that they really start at once.
struct Meeting {
    threads: usize,
    arrived: AtomicUsize,
    /// A thread has panicked: nobody waits for it.
    broken: AtomicBool,
}

impl Meeting {
    fn new(threads: usize) -> Self {
        Meeting {
            threads,
            arrived: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    fn meet(&self) {
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

struct BrokenByPanic<'a>(&'a Meeting);

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
            use_up(&self.item, callback, &mut self.random);
        }
        // Last, or a thread might wait for itself.
        if let Some(completion) = self.completion {
            wait(&self.item, completion, &mut self.random);
        }
    }
}

/// One completion, dealt out to the threads.
fn deal(jobs: &mut [Vec<Job>], random: &mut Random) -> Arc<Item> {
    let item = Arc::new(Item::default());
    let (mut callback, completion) = nodeback::callback();
    let mut completion = Some(completion);
    match random.below(4) {
        // The function is the waiter.
        0 => {
            completion = None;
            let item = Arc::clone(&item);
            callback = Callback::from_fn(move |error: Option<Error>, result| {
                item.outcome.set(token_of(&error.map_or(Ok(result), Err)));
            });
        }
        // A wrapper between.
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
    let meeting = Meeting::new(threads);
    let hands: Vec<_> = (0..threads).map(|_| Mutex::new(Vec::new())).collect();
    let rounds = completions.div_ceil(BATCH);
    let run = |thread: usize| {
        meeting.meet();
        let jobs: Vec<Job> = std::mem::take(&mut *hands[thread].lock());
        meeting.meet();
        jobs.into_iter().for_each(Job::run);
        meeting.meet();
    };
    thread::scope(|scope| {
        for thread in 1..threads {
            let (meeting, run) = (&meeting, &run);
            scope.spawn(move || {
                let _broken = BrokenByPanic(meeting);
                (0..rounds).for_each(|_| run(thread));
            });
        }
        let _broken = BrokenByPanic(&meeting);
        for _ in 0..rounds {
            let mut jobs: Vec<_> = (0..threads).map(|_| Vec::with_capacity(BATCH)).collect();
            let items: Vec<_> = (0..BATCH).map(|_| deal(&mut jobs, random)).collect();
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
    // Two threads race best where there are two cores.
    race(2, completions / 2, random);
    race(3, completions / 4, random);
    race(4, completions / 4, random);
    println!("{completions} completions in {:.1?}", start.elapsed());
}

/// What a thread is given of an invocation.
enum Handle {
    Callback(Callback<Payload>),
    Context(Context),
}

impl Handle {
    fn use_up(self, item: &Arc<Item>, random: &mut Random) {
        let context = match self {
            Handle::Callback(callback) => return use_up(item, callback, random),
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
            3 => use_up(item, context.done_callback(), random),
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
    let meeting = Meeting::new(3);
    let hands = [Mutex::new(Hand::new()), Mutex::new(Hand::new())];
    let rounds = invocations.div_ceil(BATCH);
    let mut timed_out = 0;
    thread::scope(|scope| {
        for hand in &hands {
            let meeting = &meeting;
            scope.spawn(move || {
                let _broken = BrokenByPanic(meeting);
                for _ in 0..rounds {
                    meeting.meet();
                    let handles = std::mem::take(&mut *hand.lock());
                    for (item, handle, mut random) in handles {
                        handle.use_up(&item, &mut random);
                    }
                    meeting.meet();
                }
            });
        }
        let _broken = BrokenByPanic(&meeting);
        for _ in 0..rounds {
            let items: Vec<Arc<Item>> = (0..BATCH).map(|_| Arc::default()).collect();
            let outcomes = tokio.block_on(round(&items, &hands, &meeting, random));
            meeting.meet();
            for (item, outcome) in items.iter().zip(outcomes) {
                timed_out += usize::from(settle(item, outcome));
            }
        }
    });
    let took = start.elapsed();
    println!("{invocations} invocations, {timed_out} of them timed out, in {took:.1?}");
}

/// Starts invocations, lets the threads at their handles, and has time pass meanwhile.
async fn round(
    items: &[Arc<Item>],
    hands: &[Mutex<Hand>; 2],
    meeting: &Meeting,
    random: &mut Random,
) -> Vec<Outcome> {
    let dealt = Arc::new(Mutex::new(Vec::new()));
    let invocations = items.iter().map(|_| {
        let dealt = Arc::clone(&dealt);
        let handler = move |_: Value, context: Context, callback: Callback<Payload>| {
            dealt.lock().push((callback, context));
        };
        let timeout = Duration::from_millis(1 + random.below(8));
        async move {
            let context = Context::builder().timeout(timeout).build();
            Runtime::new(handler).invoke((), context).await
        }
    });
    let mut invocations = futures::future::join_all(invocations);
    assert!((&mut invocations).now_or_never().is_none());
    for (item, (callback, context)) in items.iter().zip(dealt.lock().drain(..)) {
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
        meeting.meet();
        for _ in 0..8 {
            for _ in 0..random.below(64) {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    };
    tokio::join!(invocations, time).0
}

/// Books the outcome, and checks the item; says whether it timed out.
fn settle(item: &Item, outcome: Outcome) -> bool {
    let token = match &outcome.result {
        Ok(Value::Null) => NOTHING,
        Ok(token) => token.as_u64().unwrap(),
        Err(error) => token_of_error(error),
    };
    let refused = outcome.duplicate_signal_count;
    assert!(
        refused <= item.refused.load(SeqCst) as usize,
        "counted twice"
    );
    drop(outcome);
    item.outcome.set(token);
    item.check();
    token == TIMED_OUT
}
