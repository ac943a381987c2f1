//! nodeback and its peers, behind one interface.

use futures::{channel::oneshot as futures_oneshot, executor::block_on};
use nodeback::{Callback, Completion, Error, Value, json};
use std::{
    future::Future,
    hint::black_box,
    sync::{Arc, Mutex},
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

    /// Waits on the current thread.
    fn block(mut waiter: Self::Waiter) {
        black_box(block_on(Self::future(&mut waiter)));
    }
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
}
