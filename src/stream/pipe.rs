//! The pipe between the handler that writes the chunks of a response and the sink that sends them.
//! It also carries the outcome that follows the last chunk.

use super::{DEFAULT_CONTENT_TYPE, observer::StreamObserver};
use crate::{
    completion::CallSite,
    error::{Error, Result},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::sync::{Notify, Semaphore};

/// A bounded queue of chunks with one reader.
///
/// Each byte of a chunk takes a permit of `room`, and a chunk that is larger than the high-water
/// mark takes all permits. So the pipe holds at most the high-water mark, or one chunk if that is
/// larger. Waiting writers get room in the order in which they began to wait.
pub(crate) struct Pipe {
    state: Mutex<State>,
    pub(super) room: Arc<Semaphore>,
    high_water_mark: usize,
    /// Notified when the reader is gone.
    closed: Notify,
    /// Notified when the outcome is known.
    #[cfg(feature = "lambda")]
    finished: Notify,
    /// Receives the events of the stream, if a timeline is recorded.
    observer: Option<Arc<dyn StreamObserver>>,
}

struct State {
    head: Head,
    /// Whether the head is final: something was written, or the stream was ended.
    begun: bool,
    /// Whether a chunk was read.
    read: bool,
    /// The chunks that were written and not read yet, with the room that each of them takes.
    chunks: VecDeque<(Bytes, u32)>,
    /// Where the stream was ended from. Nothing is written after that.
    ended: Option<CallSite>,
    outcome: Outcome,
    reader: Reader,
    waker: Option<Waker>,
}

/// The outcome that follows the chunks.
enum Outcome {
    Unknown,
    Known(Result<()>),
    /// The reader has taken it.
    Taken,
}

enum Reader {
    None,
    Reading,
    /// The reader has stopped, for this reason.
    Gone(String),
}

/// The part of a response that is final when the first byte is written.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) content_type: String,
    /// The metadata of an HTTP response, as JSON.
    pub(crate) metadata: Option<Bytes>,
}

#[cfg(any(feature = "lambda", feature = "local"))]
impl Head {
    /// Returns the bytes that are sent before the body, if this is an HTTP response.
    pub(crate) fn prelude(&self) -> Option<Bytes> {
        Some(super::prelude(self.metadata.as_ref()?))
    }
}

impl Pipe {
    pub(crate) fn new(
        high_water_mark: usize,
        observer: Option<Arc<dyn StreamObserver>>,
    ) -> Arc<Self> {
        let high_water_mark = high_water_mark.clamp(1, LARGEST);
        Arc::new(Pipe {
            state: Mutex::new(State {
                head: Head {
                    content_type: DEFAULT_CONTENT_TYPE.into(),
                    metadata: None,
                },
                begun: false,
                read: false,
                chunks: VecDeque::new(),
                ended: None,
                outcome: Outcome::Unknown,
                reader: Reader::None,
                waker: None,
            }),
            room: Arc::new(Semaphore::new(high_water_mark)),
            high_water_mark,
            closed: Notify::new(),
            #[cfg(feature = "lambda")]
            finished: Notify::new(),
            observer,
        })
    }

    /// Returns the room that a chunk takes.
    pub(super) fn room_for(&self, length: usize) -> u32 {
        u32::try_from(length.min(self.high_water_mark)).unwrap_or(u32::MAX)
    }

    /// Returns the total room of the pipe.
    pub(super) fn whole_room(&self) -> u32 {
        self.room_for(usize::MAX)
    }

    /// Changes the head.
    ///
    /// # Errors
    ///
    /// If the first byte was written already.
    pub(super) fn set_head(&self, set: impl FnOnce(&mut Head)) -> Result<()> {
        let mut state = self.state.lock();
        if state.begun {
            return Err(Error::ours(
                "Runtime.InvalidStreamingOperation",
                "Cannot set content-type, too late.",
            ));
        }
        set(&mut state.head);
        Ok(())
    }

    /// Adds a chunk, for which the writer has taken room.
    pub(crate) fn push(&self, chunk: Bytes, room: u32) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(error) = state.rejection() {
            return Err(error);
        }
        state.begun = true;
        self.observe(|observer| observer.written(chunk.len()));
        state.chunks.push_back((chunk, room));
        let waker = state.waker.take();
        drop(state);
        wake(waker);
        Ok(())
    }

    /// Returns why nothing can be written. It is called after `room` was closed.
    pub(super) fn rejection(&self) -> Error {
        let rejection = self.state.lock().rejection();
        // `room` is closed only after the stream was ended or the reader has stopped, so there is
        // always a reason, and the default is never used.
        rejection.unwrap_or_else(|| closed("it has no reader"))
    }

    /// Whether the reader has stopped.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state.lock().reader, Reader::Gone(_))
    }

    /// Ends the stream for its writers, after the first signal of the invocation, which came from
    /// `first`. The outcome that follows the chunks is set by [`finish`](Self::finish).
    pub(super) fn end(&self, first: CallSite, succeeded: bool) {
        let mut state = self.state.lock();
        self.set_ended(&mut state, Some(first));
        // With a success, the head is final even if there are no chunks. With a failure before the
        // first byte, the head is not sent, as in Node.
        state.begun |= succeeded;
        let waker = state.waker.take();
        drop(state);
        self.room.close();
        wake(waker);
    }

    /// Sets the outcome that follows the chunks, unless one is set already. Returns an error that
    /// the reader will not receive.
    ///
    /// `first` is where the first signal came from, if the outcome is that of a signal. The thread
    /// that signals calls [`end`](Self::end) afterwards, which may be after this call.
    pub(crate) fn finish(&self, outcome: Result<()>, first: Option<CallSite>) -> Option<Error> {
        let mut state = self.state.lock();
        self.set_ended(&mut state, first);
        let unread = match (&state.outcome, &state.reader) {
            (Outcome::Unknown, Reader::None | Reader::Reading) => {
                state.begun |= outcome.is_ok();
                state.outcome = Outcome::Known(outcome);
                None
            }
            _ => outcome.err(),
        };
        let waker = state.waker.take();
        drop(state);
        self.room.close();
        wake(waker);
        #[cfg(feature = "lambda")]
        self.finished.notify_waiters();
        unread
    }

    /// Records where the stream was ended from, unless that is recorded already.
    fn set_ended(&self, state: &mut State, first: Option<CallSite>) {
        if state.ended.is_none() {
            // Otherwise, the stream ends with its invocation.
            let is_call =
                |first: &CallSite| matches!(first, CallSite::Call { .. } | CallSite::Shutdown);
            let call_site = first.filter(is_call);
            state.ended = Some(call_site.unwrap_or(CallSite::Closed));
            self.observe(|observer| observer.ended(call_site));
        }
    }

    /// Returns the reader of the pipe.
    #[cfg(test)]
    pub(crate) fn reader(self: &Arc<Self>) -> StreamReader {
        self.state.lock().reader = Reader::Reading;
        StreamReader(Arc::clone(self))
    }

    /// Returns the reader of the pipe, unless the outcome of the invocation is claimed. This is called
    /// once for each pipe.
    ///
    /// The part of the crate that claims the outcome calls [`has_reader`](Self::has_reader) after the
    /// claim. Both methods hold the lock, so either `has_reader` sees the reader, or this sees the
    /// claim.
    pub(crate) fn reader_unless(
        self: &Arc<Self>,
        is_claimed: impl FnOnce() -> bool,
    ) -> Option<StreamReader> {
        let mut state = self.state.lock();
        if is_claimed() {
            return None;
        }
        state.reader = Reader::Reading;
        drop(state);
        Some(StreamReader(Arc::clone(self)))
    }

    /// Whether the pipe has, or has had, a reader.
    pub(crate) fn has_reader(&self) -> bool {
        !matches!(self.state.lock().reader, Reader::None)
    }

    /// Waits until the reader has stopped.
    pub(crate) async fn closed(&self) {
        loop {
            // Created before the check, since it receives notifications from then on.
            let closed = self.closed.notified();
            if self.is_gone() {
                return;
            }
            closed.await;
        }
    }

    /// Stops reading. Returns the error of the invocation, if it has failed and the reader has not
    /// taken the error.
    fn close(&self, why: &str) -> Option<Error> {
        let mut state = self.state.lock();
        if matches!(state.reader, Reader::Gone(_)) {
            return None;
        }
        state.reader = Reader::Gone(why.into());
        if !matches!(state.outcome, Outcome::Taken) {
            self.observe(|observer| observer.abandoned(why));
        }
        let unread = match mem::replace(&mut state.outcome, Outcome::Taken) {
            Outcome::Known(outcome) => outcome.err(),
            outcome => {
                state.outcome = outcome;
                None
            }
        };
        let (chunks, waker) = (mem::take(&mut state.chunks), state.waker.take());
        drop(state);
        drop(chunks);
        self.room.close();
        wake(waker);
        self.closed.notify_waiters();
        unread
    }

    fn observe(&self, note: impl FnOnce(&dyn StreamObserver)) {
        if let Some(observer) = &self.observer {
            note(&**observer);
        }
    }

    /// Polls for the head, which is final after the first byte or the end.
    fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Head> {
        let mut state = self.state.lock();
        if state.begun || !matches!(state.outcome, Outcome::Unknown) {
            return Poll::Ready(state.head.clone());
        }
        let before = state.wait(cx);
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Polls for the next chunk. The error of a failure follows the last chunk. After the reader
    /// has stopped, returns the reason as an error.
    fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let mut state = self.state.lock();
        if let Reader::Gone(why) = &state.reader {
            return Poll::Ready(Some(Err(closed(why))));
        }
        if let Some((chunk, room)) = state.chunks.pop_front() {
            if !mem::replace(&mut state.read, true) {
                self.observe(|observer| observer.read_first());
            }
            drop(state);
            self.room.add_permits(room as usize);
            return Poll::Ready(Some(Ok(chunk)));
        }
        match mem::replace(&mut state.outcome, Outcome::Taken) {
            Outcome::Known(Err(error)) => Poll::Ready(Some(Err(error))),
            Outcome::Known(Ok(())) | Outcome::Taken => Poll::Ready(None),
            Outcome::Unknown => {
                state.outcome = Outcome::Unknown;
                let before = state.wait(cx);
                drop(state);
                drop(before);
                Poll::Pending
            }
        }
    }
}

/// The largest high-water mark. Lambda's limit for a stream is lower.
const LARGEST: usize = 256 * 1024 * 1024;

impl State {
    fn rejection(&self) -> Option<Error> {
        if let Some(ended) = self.ended {
            let message = format!("write after end: the stream was ended at {ended}");
            // The message begins as in Node, and the code is Node's.
            return Some(Error::ours("Error", message).with_code("ERR_STREAM_WRITE_AFTER_END"));
        }
        match &self.reader {
            Reader::Gone(why) => Some(closed(why)),
            Reader::None | Reader::Reading => None,
        }
    }

    /// Stores the waker of the reader. Returns the previous one, which has to be dropped after the
    /// lock is released, since it may be user code.
    fn wait(&mut self, cx: &Context<'_>) -> Option<Waker> {
        self.waker.replace(cx.waker().clone())
    }
}

fn closed(why: &str) -> Error {
    Error::ours(
        "Runtime.StreamClosed",
        format!("the response stream was closed: {why}"),
    )
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The reading end of a stream. Dropping it stops the reading, which fails all further writes.
pub(crate) struct StreamReader(Arc<Pipe>);

impl StreamReader {
    /// Waits for the first byte or the end, and returns the head.
    pub(crate) async fn head(&self) -> Head {
        poll_fn(|cx| self.0.poll_head(cx)).await
    }

    /// Polls for the next chunk. The error of a failure follows the last one.
    pub(crate) fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        self.0.poll_chunk(cx)
    }

    /// Waits for the next chunk. The error of a failure follows the last one.
    pub(crate) async fn chunk(&self) -> Option<Result<Bytes>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Waits until the outcome is known.
    #[cfg(feature = "lambda")]
    pub(crate) async fn finished(&self) {
        loop {
            // Created before the check, since it receives notifications from then on.
            let finished = self.0.finished.notified();
            if !matches!(self.0.state.lock().outcome, Outcome::Unknown) {
                return;
            }
            finished.await;
        }
    }

    /// Whether reading has stopped.
    #[cfg(feature = "lambda")]
    pub(crate) fn is_gone(&self) -> bool {
        self.0.is_gone()
    }

    /// Returns a future that ends when this reader, which may be moved elsewhere, was closed or
    /// dropped.
    #[cfg(feature = "local")]
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let pipe = Arc::clone(&self.0);
        async move { pipe.closed().await }
    }

    /// Stops reading. Writes fail with an error that states the reason. Returns the error of the
    /// invocation, if it has failed and the reader has not taken the error.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(crate) fn close(&self, why: &str) -> Option<Error> {
        self.0.close(why)
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        drop(self.0.close("the client is gone"));
    }
}
