//! A callback and its completion, without a handler: exactly one signal wins, and none is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod duplicate_signals;
mod first_wins;
mod from_fn;
mod function_values;
mod never_called;
mod payloads_are_dropped_once;
mod races;
mod signalling;
mod waiting;

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

/// Ample for anything, so that a test that would hang fails instead.
const AMPLE: Duration = Duration::from_secs(60);

/// Returns the start of a location in the caller's file, up to its column.
#[track_caller]
fn line(line: u32) -> String {
    format!("{}:{line}:", std::panic::Location::caller().file())
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

/// Returns the outcome, which must be there already.
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
