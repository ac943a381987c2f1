//! The scenarios in which a completion is compared with its peers.

pub(crate) mod peers;

use futures::{FutureExt, task::noop_waker_ref};
use nodeback::Callback;
use peers::{
    AsyncOneshot, ByHand, Futures, LiteSync, LiteralCall, Nodeback, Oneshot, Peer, Tokio, payload,
};
use std::{
    array,
    future::Future,
    hint::black_box,
    pin::{Pin, pin},
    task::Context,
    thread,
};

pub(crate) fn signalled_before_the_await<P: Peer>() {
    let (signaller, mut waiter) = P::pair();
    P::signal(signaller);
    black_box(P::future(&mut waiter).now_or_never());
}

pub(crate) fn signalled_after_the_first_poll<P: Peer>() {
    let (signaller, mut waiter) = P::pair();
    let mut future = pin!(P::future(&mut waiter));
    let mut cx = Context::from_waker(noop_waker_ref());
    let mut poll = || black_box(Pin::as_mut(&mut future).poll(&mut cx).is_ready());
    poll();
    P::signal(signaller);
    poll();
}

/// Needs a tokio runtime.
#[allow(dead_code, reason = "`instructions.rs` does not measure a runtime")]
pub(crate) async fn signalled_from_a_spawned_task<P: Peer>() {
    let (signaller, mut waiter) = P::pair();
    let task = tokio::spawn(async move { P::signal(signaller) });
    black_box(P::future(&mut waiter).await);
    let _ = task.await;
}

#[allow(dead_code, reason = "`instructions.rs` does not measure threads")]
pub(crate) fn signalled_from_a_thread<P: Peer>() {
    let (signaller, waiter) = P::pair();
    let thread = thread::spawn(move || P::signal(signaller));
    P::block(waiter);
    let _ = thread.join();
}

pub(crate) fn never_called<P: Peer>() {
    let (signaller, mut waiter) = P::pair();
    drop(signaller);
    black_box(P::future(&mut waiter).now_or_never());
}

pub(crate) fn with_clones<const N: usize>() {
    let (callback, completion) = nodeback::callback();
    let clones: [Callback; N] = array::from_fn(|_| callback.clone());
    callback.settle(payload());
    drop(clones);
    black_box(completion.now_or_never());
}

/// Does the same as [`with_clones`] with [`ByHand`].
pub(crate) fn with_clones_by_hand<const N: usize>() {
    let (signaller, mut waiter) = ByHand::pair();
    let clones: [ByHand; N] = array::from_fn(|_| signaller.clone());
    ByHand::signal(signaller);
    drop(clones);
    black_box(ByHand::future(&mut waiter).now_or_never());
}

pub(crate) fn duplicate() {
    let (callback, completion) = nodeback::callback();
    let clone = callback.clone();
    callback.settle(payload());
    let _ = black_box(clone.try_settle(payload()));
    black_box(completion.now_or_never());
}

/// The name of a scenario, the name of the peer, and the code to run.
pub(crate) type Scenario = (&'static str, &'static str, fn());

pub(crate) const SCENARIOS: &[Scenario] = {
    use self::signalled_after_the_first_poll as after;
    use self::signalled_before_the_await as before;
    const BEFORE: &str = "signalled before the await";
    const AFTER: &str = "signalled after the first poll";
    &[
        (BEFORE, "nodeback", before::<Nodeback>),
        (BEFORE, "nodeback, literal call", before::<LiteralCall>),
        (BEFORE, "tokio oneshot", before::<Tokio>),
        (BEFORE, "futures oneshot", before::<Futures>),
        (BEFORE, "oneshot crate", before::<Oneshot>),
        (BEFORE, "async-oneshot", before::<AsyncOneshot>),
        (BEFORE, "lite-sync", before::<LiteSync>),
        (BEFORE, "by hand", before::<ByHand>),
        (AFTER, "nodeback", after::<Nodeback>),
        (AFTER, "nodeback, literal call", after::<LiteralCall>),
        (AFTER, "tokio oneshot", after::<Tokio>),
        (AFTER, "futures oneshot", after::<Futures>),
        (AFTER, "oneshot crate", after::<Oneshot>),
        (AFTER, "async-oneshot", after::<AsyncOneshot>),
        (AFTER, "lite-sync", after::<LiteSync>),
        (AFTER, "by hand", after::<ByHand>),
        ("with 1 clone", "nodeback", with_clones::<1>),
        ("with 1 clone", "by hand", with_clones_by_hand::<1>),
        ("with 2 clones", "nodeback", with_clones::<2>),
        ("with 2 clones", "by hand", with_clones_by_hand::<2>),
        ("with 8 clones", "nodeback", with_clones::<8>),
        ("with 8 clones", "by hand", with_clones_by_hand::<8>),
        ("never called", "nodeback", never_called::<Nodeback>),
        ("never called", "tokio oneshot", never_called::<Tokio>),
        ("never called", "futures oneshot", never_called::<Futures>),
        ("never called", "oneshot crate", never_called::<Oneshot>),
        (
            "never called",
            "async-oneshot",
            never_called::<AsyncOneshot>,
        ),
        ("never called", "lite-sync", never_called::<LiteSync>),
        ("duplicate", "nodeback", duplicate),
    ]
};
