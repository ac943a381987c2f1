//! Loom models of the ends of a slot that act at the same time: there is at most one outcome, no
//! outcome and no wake-up is lost, every signal is either received or rejected, every value and
//! every waker is dropped exactly once, and no memory leaks.
//!
//! The models run `src/completion/slot/` itself, with loom's atomics instead of those of std.
//! `cargo test --release -p nodeback-loom` checks every interleaving of one signaller and the
//! waiter, and of two signallers that are both dropped. For other actions of two signallers, it
//! checks the interleavings with at most three preemptions, since all interleavings take minutes
//! for each pair; for three signallers, those with at most one. `cargo test` checks two signallers
//! with at most one preemption, and skips three.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the crate uses the rest")]
#[path = "../../src/completion/call_site.rs"]
mod call_site;
#[allow(dead_code, reason = "the crate uses the rest")]
#[path = "../../src/completion/slot/mod.rs"]
mod slot;

/// In place of `src/completion/sync.rs`.
mod sync {
    use crate::call_site::CallSite;
    use loom::sync::atomic::AtomicPtr;
    use std::{panic::Location, ptr, sync::atomic::Ordering::Relaxed};

    pub(crate) use loom::{cell::UnsafeCell, sync::atomic::AtomicUsize};

    pub(crate) struct First(AtomicPtr<Location<'static>>);

    impl Default for First {
        fn default() -> Self {
            First(AtomicPtr::new(ptr::null_mut()))
        }
    }

    impl First {
        pub(crate) fn claim(&self, call_site: CallSite) -> Result<(), CallSite> {
            let new = ptr::from_ref(call_site.location()).cast_mut();
            // These orderings are weaker than once_cell's, which only adds interleavings.
            match (self.0).compare_exchange(ptr::null_mut(), new, Relaxed, Relaxed) {
                Ok(_) => Ok(()),
                Err(first) => Err(at(first).unwrap()),
            }
        }

        pub(crate) fn get(&self) -> Option<CallSite> {
            at(self.0.load(Relaxed))
        }
    }

    #[allow(unsafe_code, reason = "as in once_cell")]
    fn at(location: *mut Location<'static>) -> Option<CallSite> {
        // SAFETY: the pointer is null, or comes from the reference to a static location in `claim`.
        unsafe { location.as_ref() }.map(CallSite::of)
    }
}

use call_site::{CallSite, Origin};
use futures::task::{ArcWake, waker};
use loom::{cell::UnsafeCell, model::Builder, thread};
use slot::{Attached, Signaller, Waiter, slot};
use std::{
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

/// What a thread does with a handle.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Act {
    /// `callback(error, result)`, after which the handle is dropped.
    Call,
    /// A method that consumes the handle.
    Settle,
    /// The handle is cloned and dropped, and then the clone signals and is dropped.
    CloneAndCall,
    Drop,
}

/// What the model does with the waiter.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wait {
    /// It is awaited.
    Await,
    /// It is polled for one task, then awaited by another.
    Move,
    /// It is polled for one task and for another, then awaited by the first.
    MoveBack,
    /// It is polled twice by the task that awaits it.
    Again,
    /// It is dropped, unpolled.
    Cancel,
    /// It is polled, then dropped.
    PollAndCancel,
    /// It is polled, then closed, and dropped after the handles.
    Close,
    /// As at the deadline: like `Close`, but it waits for a signal that was accepted.
    Deadline,
    /// It is polled, then asked once without a waker, and dropped.
    Try,
}

const ACTS: [Act; 4] = [Act::Call, Act::Settle, Act::CloneAndCall, Act::Drop];
/// The ones that are checked with several handles.
const WAITS: [Wait; 7] = [
    Wait::Await,
    Wait::Move,
    Wait::Cancel,
    Wait::PollAndCancel,
    Wait::Close,
    Wait::Deadline,
    Wait::Try,
];

/// Counts what is created and what is dropped. Its atomics are those of std, which loom does not
/// see: they are read at the end, and would only multiply the interleavings.
#[derive(Default)]
struct Ledger {
    values: Count,
    wakers: Count,
    never_called: AtomicUsize,
    freed: AtomicUsize,
}

#[derive(Default)]
struct Count {
    created: AtomicUsize,
    dropped: AtomicUsize,
}

impl Count {
    fn assert_even(&self) {
        assert_eq!(self.created.load(SeqCst), self.dropped.load(SeqCst));
    }
}

struct Value {
    /// Where it was signalled.
    from: CallSite,
    ledger: Arc<Ledger>,
}

impl Value {
    fn new(from: CallSite, ledger: &Arc<Ledger>) -> Self {
        ledger.values.created.fetch_add(1, SeqCst);
        Value {
            from,
            ledger: Arc::clone(ledger),
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.ledger.values.dropped.fetch_add(1, SeqCst);
    }
}

/// Every end reads its cell, and the one that frees the slot writes it, so that loom sees a free
/// that is not ordered after the other uses.
struct Shared(Arc<Ledger>, UnsafeCell<()>);

impl Shared {
    fn new(ledger: &Arc<Ledger>) -> Self {
        Shared(Arc::clone(ledger), UnsafeCell::new(()))
    }

    fn look(&self) {
        self.1.with(|_| ());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.1.with_mut(|_| ());
        self.0.freed.fetch_add(1, SeqCst);
    }
}

impl Attached<Value> for Shared {
    fn never_called(&self, _: Origin) -> Value {
        self.0.never_called.fetch_add(1, SeqCst);
        Value::new(CallSite::Dropped, &self.0)
    }
}

/// The waker of a task that polls.
struct Wakes {
    woken: AtomicUsize,
    ledger: Arc<Ledger>,
}

impl Wakes {
    fn new(ledger: &Arc<Ledger>) -> Arc<Self> {
        ledger.wakers.created.fetch_add(1, SeqCst);
        Arc::new(Wakes {
            woken: AtomicUsize::new(0),
            ledger: Arc::clone(ledger),
        })
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.ledger.wakers.dropped.fetch_add(1, SeqCst);
    }
}

impl ArcWake for Wakes {
    fn wake_by_ref(this: &Arc<Self>) {
        this.woken.fetch_add(1, SeqCst);
    }
}

#[track_caller]
fn here() -> CallSite {
    CallSite::Call {
        location: Location::caller(),
    }
}

/// Does `act` with a handle. Returns the call site of an accepted signal, or the error with that of
/// the first one.
fn act(
    act: Act,
    call_site: CallSite,
    handle: Signaller<Value, Shared>,
    ledger: &Arc<Ledger>,
) -> Option<Result<CallSite, CallSite>> {
    handle.0.attached.look();
    let value = || Value::new(call_site, ledger);
    let signalled = match act {
        Act::Call => handle
            .signal(value(), call_site)
            .map_err(|(_, first)| first),
        Act::Settle => match handle.settle(value()) {
            Ok(()) => Ok(()),
            Err((handle, value)) => handle.signal(value, call_site).map_err(|(_, first)| first),
        },
        Act::CloneAndCall => {
            let clone = handle.clone_as(Origin::first());
            drop(handle);
            clone.signal(value(), call_site).map_err(|(_, first)| first)
        }
        Act::Drop => return None,
    };
    Some(signalled.map(|()| call_site))
}

fn poll(waiter: &mut Waiter<Value, Shared>, by: &Arc<Wakes>) -> Option<Value> {
    let waker = waker(Arc::clone(by));
    match waiter.poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The state of the waiter when the handles may still be in use.
enum Waited {
    /// It has the value, or will never have one.
    Done(Option<Value>),
    /// It is pending, with the waker of this task.
    Pending(Waiter<Value, Shared>, Arc<Wakes>),
    /// It is closed, and not yet dropped.
    Closed(Option<Value>, Waiter<Value, Shared>),
}

fn wait(wait: Wait, mut waiter: Waiter<Value, Shared>, ledger: &Arc<Ledger>) -> Waited {
    waiter.slot.attached.look();
    let (other, own) = (Wakes::new(ledger), Wakes::new(ledger));
    let before = match wait {
        Wait::Await | Wait::Cancel => None,
        Wait::Again => poll(&mut waiter, &own),
        Wait::MoveBack => poll(&mut waiter, &own).or_else(|| poll(&mut waiter, &other)),
        _ => poll(&mut waiter, &other),
    };
    match wait {
        Wait::Await | Wait::Move | Wait::MoveBack | Wait::Again => {
            match before.or_else(|| poll(&mut waiter, &own)) {
                Some(value) => {
                    assert!(waiter.is_done());
                    Waited::Done(Some(value))
                }
                None => Waited::Pending(waiter, own),
            }
        }
        Wait::Cancel | Wait::PollAndCancel => Waited::Done(before),
        Wait::Try => Waited::Done(before.or_else(|| waiter.try_take())),
        Wait::Close => {
            let closed = waiter.close();
            assert!(poll(&mut waiter, &other).is_none());
            Waited::Closed(before.or(closed), waiter)
        }
        Wait::Deadline => {
            let waker = waker(Arc::clone(&own));
            match waiter.poll_close(&mut Context::from_waker(&waker)) {
                Poll::Ready(late) => Waited::Closed(before.or(late), waiter),
                Poll::Pending => Waited::Pending(waiter, own),
            }
        }
    }
}

/// Runs each act on a thread of its own, and the waiter on this one.
fn at_once(acts: &[Act], how: Wait) {
    let ledger = Arc::new(Ledger::default());
    let call_sites = [here(), here(), here()];
    let (first, waiter) = slot(Shared::new(&ledger));
    let mut handles: Vec<_> = (1..acts.len())
        .map(|_| first.clone_as(Origin::first()))
        .collect();
    handles.push(first);
    let threads: Vec<_> = handles
        .into_iter()
        .zip(acts.iter().copied().zip(call_sites))
        .map(|(handle, (what, call_site))| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || act(what, call_site, handle, &ledger))
        })
        .collect();
    let waited = wait(how, waiter, &ledger);
    let signals: Vec<_> = threads
        .into_iter()
        .filter_map(|thread| thread.join().unwrap())
        .collect();

    let got = match waited {
        Waited::Done(got) => got,
        Waited::Closed(got, waiter) => {
            drop(waiter);
            got
        }
        Waited::Pending(mut waiter, by) => {
            assert_ne!(by.woken.load(SeqCst), 0, "nobody woke it");
            Some(poll(&mut waiter, &by).unwrap())
        }
    };

    let won: Vec<_> = signals.iter().filter_map(|signal| signal.ok()).collect();
    let never_called = ledger.never_called.load(SeqCst);
    assert!(
        won.len() <= 1 && never_called <= 1,
        "{won:?}, {never_called}"
    );
    assert!(
        won.len() + never_called <= 1,
        "both signalled and never called"
    );
    let waited = matches!(how, Wait::Await | Wait::Move | Wait::MoveBack | Wait::Again);
    if waited {
        assert_eq!(never_called, usize::from(signals.is_empty()));
    }
    let rejected: Vec<_> = signals.iter().filter_map(|signal| signal.err()).collect();
    match won.first() {
        Some(first) => assert!(rejected.iter().all(|by| by == first), "{rejected:?}"),
        // The first signal may itself have lost against the close.
        None => assert!(rejected.is_empty() || rejected.contains(&CallSite::Closed)),
    }
    if let Some(value) = &got {
        let from = won.first().copied().unwrap_or(CallSite::Dropped);
        assert_eq!(value.from, from);
    }
    // An accepted value is received if the waiter looks after that: at the end of a wait, at a
    // close, or at a deadline.
    let looks = !matches!(how, Wait::Cancel | Wait::PollAndCancel | Wait::Try);
    assert!(got.is_some() || won.is_empty() || !looks);
    assert!(got.is_some() || !waited);
    drop(got);
    ledger.values.assert_even();
    ledger.wakers.assert_even();
    assert_eq!(ledger.freed.load(SeqCst), 1);
}

/// Checks a model with at most so many preemptions, or with every interleaving if there is no
/// limit.
fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

/// The number of preemptions with two signallers. Without optimization, loom is ten times slower.
const PREEMPTIONS: usize = if cfg!(debug_assertions) { 1 } else { 3 };

#[test]
fn one_handle_and_the_waiter() {
    for act in ACTS {
        for how in WAITS.into_iter().chain([Wait::MoveBack, Wait::Again]) {
            check(None, move || at_once(&[act], how));
        }
    }
}

#[test]
fn two_handles_and_the_waiter() {
    for a in ACTS {
        for b in ACTS.into_iter().filter(|b| *b >= a) {
            for how in WAITS {
                check(Some(PREEMPTIONS), move || at_once(&[a, b], how));
            }
        }
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "needs --release, or minutes")]
fn two_handles_that_are_dropped_and_the_waiter_however_often_they_are_preempted() {
    for how in [Wait::Await, Wait::Cancel] {
        check(None, move || at_once(&[Act::Drop, Act::Drop], how));
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "needs --release, or minutes")]
fn three_handles_and_the_waiter() {
    for acts in [
        [Act::Call, Act::Settle, Act::Drop],
        [Act::Call, Act::CloneAndCall, Act::Settle],
        [Act::Drop, Act::Drop, Act::Drop],
    ] {
        for how in [Wait::Await, Wait::Close] {
            check(Some(1), move || at_once(&acts, how));
        }
    }
}
