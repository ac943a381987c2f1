//! The scenarios in which a completion is compared with its peers.

use futures::{FutureExt, channel::oneshot as futures_oneshot, task::noop_waker_ref};
use nodeback::{Callback, Completion, Error, Value, json};
use std::{
    array,
    future::Future,
    hint::black_box,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Context,
    thread,
};
use tokio::sync::{Notify, oneshot as tokio_oneshot};

pub(crate) type Payload = Result<Value, Error>;

pub(crate) fn payload() -> Payload {
    black_box(Ok(json!(42)))
}

/// A one-shot channel: a pair of a sender and a receiver.
pub(crate) trait Peer {
    type Signaller: Send + 'static;
    type Waiter: Send + 'static;

    fn pair() -> (Self::Signaller, Self::Waiter);
    fn signal(signaller: Self::Signaller);
    fn future(waiter: &mut Self::Waiter) -> impl Future<Output: Send> + Send;
    fn block(waiter: Self::Waiter);
}

pub(crate) struct Nodeback;

impl Peer for Nodeback {
    type Signaller = Callback;
    type Waiter = Completion<Value>;

    fn pair() -> (Callback, Completion<Value>) {
        nodeback::callback()
    }

    fn signal(callback: Callback) {
        callback.settle(payload());
    }

    fn future(completion: &mut Completion<Value>) -> impl Future<Output: Send> + Send {
        completion
    }

    fn block(completion: Completion<Value>) {
        let _ = black_box(completion.wait());
    }
}

/// `callback(None, Some(result))`.
pub(crate) struct LiteralCall;

impl Peer for LiteralCall {
    type Signaller = Callback;
    type Waiter = Completion<Value>;

    fn pair() -> (Callback, Completion<Value>) {
        nodeback::callback()
    }

    fn signal(callback: Callback) {
        callback(None, Some(black_box(json!(42))));
    }

    fn future(completion: &mut Completion<Value>) -> impl Future<Output: Send> + Send {
        completion
    }

    fn block(completion: Completion<Value>) {
        let _ = black_box(completion.wait());
    }
}

pub(crate) struct Tokio;

impl Peer for Tokio {
    type Signaller = tokio_oneshot::Sender<Payload>;
    type Waiter = tokio_oneshot::Receiver<Payload>;

    fn pair() -> (Self::Signaller, Self::Waiter) {
        tokio_oneshot::channel()
    }

    fn signal(sender: Self::Signaller) {
        let _ = sender.send(payload());
    }

    fn future(receiver: &mut Self::Waiter) -> impl Future<Output: Send> + Send {
        receiver
    }

    fn block(receiver: Self::Waiter) {
        let _ = black_box(receiver.blocking_recv());
    }
}

pub(crate) struct Futures;

impl Peer for Futures {
    type Signaller = futures_oneshot::Sender<Payload>;
    type Waiter = futures_oneshot::Receiver<Payload>;

    fn pair() -> (Self::Signaller, Self::Waiter) {
        futures_oneshot::channel()
    }

    fn signal(sender: Self::Signaller) {
        let _ = sender.send(payload());
    }

    fn future(receiver: &mut Self::Waiter) -> impl Future<Output: Send> + Send {
        receiver
    }

    fn block(receiver: Self::Waiter) {
        let _ = black_box(futures::executor::block_on(receiver));
    }
}

/// The crate `oneshot`.
pub(crate) struct Oneshot;

impl Peer for Oneshot {
    type Signaller = oneshot::Sender<Payload>;
    type Waiter = oneshot::AsyncReceiver<Payload>;

    fn pair() -> (Self::Signaller, Self::Waiter) {
        oneshot::async_channel()
    }

    fn signal(sender: Self::Signaller) {
        let _ = sender.send(payload());
    }

    fn future(receiver: &mut Self::Waiter) -> impl Future<Output: Send> + Send {
        receiver
    }

    fn block(receiver: Self::Waiter) {
        let _ = black_box(futures::executor::block_on(receiver));
    }
}

/// The crate `async-oneshot`. Its sender is an `Arc`, which its receiver outlives.
pub(crate) struct AsyncOneshot;

impl Peer for AsyncOneshot {
    type Signaller = async_oneshot::Sender<Payload>;
    type Waiter = async_oneshot::Receiver<Payload>;

    fn pair() -> (Self::Signaller, Self::Waiter) {
        async_oneshot::oneshot()
    }

    fn signal(mut sender: Self::Signaller) {
        let _ = sender.send(payload());
    }

    fn future(receiver: &mut Self::Waiter) -> impl Future<Output: Send> + Send {
        receiver
    }

    fn block(receiver: Self::Waiter) {
        let _ = black_box(futures::executor::block_on(receiver));
    }
}

/// The crate `lite-sync`. A sender that has sent is forgotten, so the memory of its channel is
/// never freed.
pub(crate) struct LiteSync;

impl Peer for LiteSync {
    type Signaller = lite_sync::oneshot::generic::Sender<Payload>;
    type Waiter = lite_sync::oneshot::generic::Receiver<Payload>;

    fn pair() -> (Self::Signaller, Self::Waiter) {
        lite_sync::oneshot::generic::channel()
    }

    fn signal(sender: Self::Signaller) {
        let _ = sender.send(payload());
    }

    fn future(receiver: &mut Self::Waiter) -> impl Future<Output: Send> + Send {
        receiver
    }

    fn block(receiver: Self::Waiter) {
        let _ = black_box(receiver.blocking_recv());
    }
}

/// An `Arc<Mutex<Option>>` with a `Notify`, as a user would write it without a crate.
#[derive(Clone, Default)]
pub(crate) struct ByHand(Arc<(Mutex<Option<Payload>>, Notify)>);

impl Peer for ByHand {
    type Signaller = ByHand;
    type Waiter = ByHand;

    fn pair() -> (ByHand, ByHand) {
        let cell = ByHand::default();
        (cell.clone(), cell)
    }

    fn signal(cell: ByHand) {
        let (value, notify) = &*cell.0;
        if let Ok(mut slot) = value.lock() {
            slot.get_or_insert_with(payload);
        }
        notify.notify_one();
    }

    fn future(cell: &mut ByHand) -> impl Future<Output: Send> + Send {
        async {
            let (value, notify) = &*cell.0;
            notify.notified().await;
            value.lock().ok()?.take()
        }
    }

    fn block(mut cell: ByHand) {
        black_box(futures::executor::block_on(ByHand::future(&mut cell)));
    }
}

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
