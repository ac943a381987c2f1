//! Every interleaving of what the ends of a slot do at the same time, by loom: one outcome at most,
//! none lost, no wake-up lost, no value or waker dropped twice or never, and no memory leaked.
//!
//! It is `src/slot.rs` itself, put together with loom's atomics instead of those of std.
//! `cargo test --release --test loom` looks deeper than `cargo test` does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the crate uses the rest")]
#[path = "../src/place.rs"]
mod place;
#[allow(dead_code, reason = "the crate uses the rest")]
#[path = "../src/slot.rs"]
mod slot;

/// In place of `src/sync.rs`.
mod sync {
    use crate::place::Place;
    use loom::sync::atomic::AtomicPtr;
    use std::{panic::Location, ptr, sync::atomic::Ordering::Relaxed};

    pub(crate) use loom::{
        cell::UnsafeCell,
        sync::atomic::{AtomicBool, AtomicUsize},
    };

    pub(crate) struct First(AtomicPtr<Location<'static>>);

    impl Default for First {
        fn default() -> Self {
            First(AtomicPtr::new(ptr::null_mut()))
        }
    }

    impl First {
        pub(crate) fn claim(&self, place: Place) -> Result<(), Place> {
            let new = ptr::from_ref(place.location()).cast_mut();
            // Weaker than once_cell's, which only makes more interleavings.
            match (self.0).compare_exchange(ptr::null_mut(), new, Relaxed, Relaxed) {
                Ok(_) => Ok(()),
                Err(first) => Err(at(first).unwrap()),
            }
        }

        pub(crate) fn get(&self) -> Option<Place> {
            at(self.0.load(Relaxed))
        }
    }

    #[allow(unsafe_code, reason = "as in once_cell")]
    fn at(place: *mut Location<'static>) -> Option<Place> {
        // SAFETY: null, or out of the reference in `claim`.
        unsafe { place.as_ref() }.map(Place::of)
    }
}

use futures::task::{ArcWake, waker};
use loom::{cell::UnsafeCell, future::block_on, model::Builder, sync::Arc, thread};
use place::{Attached, Origin, Place};
use slot::{Signaller, Waiter, slot};
use std::{
    future::poll_fn,
    panic::Location,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::{Context, Poll},
};

/// What may be done with a handle.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Act {
    /// `callback(error, result)`, after which the handle is dropped.
    Call,
    /// A method that consumes the handle.
    Settle,
    /// A clone is made, signals, and is dropped after its original.
    CloneAndCall,
    Drop,
}

/// What may be done with the waiter.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wait {
    /// It is awaited.
    Await,
    /// It is polled for one task, then awaited by another.
    Move,
    /// It is dropped, unpolled.
    Cancel,
    /// It is polled, then dropped.
    PollAndCancel,
    /// It is polled, then closed, and lives on until the handles are gone.
    Close,
    /// The deadline: the same, but a signal that was accepted is waited for.
    Deadline,
    /// It is polled, and its memory is used for another slot.
    Recycle,
}

const ACTS: [Act; 4] = [Act::Call, Act::Settle, Act::CloneAndCall, Act::Drop];
const WAITS: [Wait; 7] = [
    Wait::Await,
    Wait::Move,
    Wait::Cancel,
    Wait::PollAndCancel,
    Wait::Close,
    Wait::Deadline,
    Wait::Recycle,
];

/// Counts values; loom sees by its `Arc` when one is never dropped, or something that holds it.
#[derive(Default)]
struct Ledger {
    made: AtomicUsize,
    dropped: AtomicUsize,
    lost: AtomicUsize,
}

struct Value {
    /// Where it was signalled.
    from: Place,
    ledger: Arc<Ledger>,
}

impl Value {
    fn new(from: Place, ledger: &Arc<Ledger>) -> Self {
        ledger.made.fetch_add(1, SeqCst);
        Value {
            from,
            ledger: Arc::clone(ledger),
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, SeqCst);
    }
}

/// Its cell is used by every end, and last of all by who frees it.
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
    }
}

impl Attached<Value> for Shared {
    fn lost(&self, _: Origin) -> Value {
        self.0.lost.fetch_add(1, SeqCst);
        Value::new(Place::Lost, &self.0)
    }
}

/// Who polled before; loom sees when its waker is never dropped.
struct Wakes {
    _ledger: Arc<Ledger>,
}

impl ArcWake for Wakes {
    fn wake_by_ref(_: &std::sync::Arc<Self>) {}
}

#[track_caller]
fn here() -> Place {
    Place::At(Location::caller())
}

/// Does it, and says whether it was refused, and for whom.
fn act(
    act: Act,
    place: Place,
    handle: Signaller<Value, Shared>,
    ledger: &Arc<Ledger>,
) -> Option<Result<Place, Place>> {
    handle.0.attached.look();
    let value = || Value::new(place, ledger);
    let signalled = match act {
        Act::Call => handle.signal(value(), place).map_err(|(_, first)| first),
        Act::Settle if handle.is_last() => match handle.settle(value()) {
            Ok(()) => Ok(()),
            Err(_) => Err(Place::Closed),
        },
        Act::Settle => handle.signal(value(), place).map_err(|(_, first)| first),
        Act::CloneAndCall => {
            let clone = handle.clone_as(Origin::FIRST);
            drop(handle);
            clone.signal(value(), place).map_err(|(_, first)| first)
        }
        Act::Drop => return None,
    };
    Some(signalled.map(|()| place))
}

fn poll(waiter: &mut Waiter<Value, Shared>, waker: &std::task::Waker) -> Option<Value> {
    match waiter.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn wait(wait: Wait, mut waiter: Waiter<Value, Shared>, ledger: &Arc<Ledger>) -> Option<Value> {
    waiter.0.attached.look();
    let other = waker(std::sync::Arc::new(Wakes {
        _ledger: Arc::clone(ledger),
    }));
    let before = match wait {
        Wait::Await | Wait::Cancel => None,
        _ => poll(&mut waiter, &other),
    };
    match wait {
        Wait::Await | Wait::Move => Some(match before {
            Some(value) => value,
            None => {
                let value = block_on(poll_fn(|cx| waiter.poll(cx)));
                assert!(waiter.is_done());
                value
            }
        }),
        Wait::Cancel | Wait::PollAndCancel => before,
        Wait::Close => {
            let closed = waiter.close();
            assert!(poll(&mut waiter, &other).is_none());
            before.or(closed)
        }
        Wait::Deadline => {
            let late = block_on(poll_fn(|cx| waiter.poll_close(cx)));
            assert!(poll(&mut waiter, &other).is_none());
            before.or(late)
        }
        Wait::Recycle => {
            if let Some(memory) = waiter.recycle() {
                let (next, mut waiter) = slot(memory, Shared::new(ledger));
                assert!(poll(&mut waiter, &other).is_none());
                assert!(next.settle(Value::new(Place::Returned, ledger)).is_ok());
                assert_eq!(poll(&mut waiter, &other).unwrap().from, Place::Returned);
            }
            before
        }
    }
}

/// How often a thread may be taken off in the middle. Unoptimised, loom is ten times slower.
const DEEPER: usize = if cfg!(debug_assertions) { 1 } else { 2 };

/// Each handle on its own thread, but for the waiter, which is on this one.
fn at_once(acts: &[Act], how: Wait) {
    let ledger = Arc::new(Ledger::default());
    let places = [here(), here(), here()];
    let (first, waiter) = slot(Box::new_uninit(), Shared::new(&ledger));
    let mut handles: Vec<_> = (1..acts.len())
        .map(|_| first.clone_as(Origin::FIRST))
        .collect();
    handles.push(first);
    let threads: Vec<_> = handles
        .into_iter()
        .zip(acts.iter().copied().zip(places))
        .map(|(handle, (what, place))| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || act(what, place, handle, &ledger))
        })
        .collect();
    let got = wait(how, waiter, &ledger);
    let signals: Vec<_> = threads
        .into_iter()
        .filter_map(|thread| thread.join().unwrap())
        .collect();

    let won: Vec<_> = signals.iter().filter_map(|signal| signal.ok()).collect();
    let lost = ledger.lost.load(SeqCst);
    assert!(won.len() <= 1 && lost <= 1, "{won:?}, {lost} lost");
    assert!(won.len() + lost <= 1, "both signalled and lost");
    // It can be nobody's but the close's only where that is.
    let waited = matches!(how, Wait::Await | Wait::Move);
    if waited {
        assert_eq!(lost, usize::from(signals.is_empty()));
    }
    let first = won.first().copied().unwrap_or(Place::Closed);
    for refused in signals.iter().filter_map(|signal| signal.err()) {
        assert_eq!(refused, first);
        assert!(!waited || won.len() == 1);
    }
    if let Some(value) = &got {
        let from = if lost == 1 { Place::Lost } else { first };
        assert_eq!(value.from, from);
    }
    assert!(got.is_some() || !waited);
    // What was accepted is not lost at a deadline, where the handle did not go with its signal.
    let kept = acts.iter().all(|act| *act != Act::Settle);
    assert!(got.is_some() || how != Wait::Deadline || won.is_empty() || !kept);
    drop(got);
    assert_eq!(ledger.made.load(SeqCst), ledger.dropped.load(SeqCst));
}

fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn one_handle_and_the_waiter() {
    for act in ACTS {
        for how in WAITS {
            check(DEEPER + 1, move || at_once(&[act], how));
        }
    }
}

#[test]
fn two_handles_and_the_waiter() {
    for a in ACTS {
        for b in ACTS.into_iter().filter(|b| *b >= a) {
            for how in WAITS {
                check(DEEPER, move || at_once(&[a, b], how));
            }
        }
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "needs --release, or minutes")]
fn three_handles_and_the_waiter() {
    for acts in [
        [Act::Call, Act::Settle, Act::Drop],
        [Act::Drop, Act::Drop, Act::Drop],
    ] {
        for how in [Wait::Await, Wait::Close] {
            check(1, move || at_once(&acts, how));
        }
    }
}
