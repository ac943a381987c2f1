//! A stream as a writer of tokio, and as a sink of chunks.

use super::{pipe::Pipe, response_stream::ResponseStream};
use crate::{
    completion::CallSite,
    error::{Error, Result},
};
use bytes::Bytes;
use futures::{Sink, future::BoxFuture};
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::AsyncWrite,
    sync::{AcquireError, OwnedSemaphorePermit},
};

type Permit = std::result::Result<OwnedSemaphorePermit, AcquireError>;

/// Room that a handle waits for, or has. The lock is never waited for: it makes a future one that can be shared.
#[derive(Default)]
pub(super) struct Room {
    waiting: Mutex<Option<BoxFuture<'static, Permit>>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Polls for so much room. What was waited for before may be more, or less.
    fn poll(
        &mut self,
        pipe: &Pipe,
        wanted: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Result<OwnedSemaphorePermit>> {
        if let Some(permit) = self.permit.take() {
            return Poll::Ready(Ok(permit));
        }
        let waiting = self.waiting.get_mut();
        if waiting.is_none() {
            let room = Arc::clone(&pipe.room);
            match Arc::clone(&room).try_acquire_many_owned(wanted) {
                Ok(permit) => return Poll::Ready(Ok(permit)),
                Err(_) => *waiting = Some(Box::pin(room.acquire_many_owned(wanted))),
            }
        }
        let Some(future) = waiting else {
            return Poll::Pending;
        };
        let permit = ready!(future.as_mut().poll(cx));
        *waiting = None;
        Poll::Ready(permit.map_err(|_| pipe.rejection()))
    }
}

impl AsyncWrite for ResponseStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let wanted = this.pipe.room_for(bytes.len());
        let mut permit = ready!(this.room.poll(&this.pipe, wanted, cx)).map_err(to_io)?;
        // Of more than what was waited for, the rest comes with the next call.
        let chunk = bytes.get(..permit.num_permits()).unwrap_or(bytes);
        let room = this.pipe.room_for(chunk.len());
        drop(permit.split(permit.num_permits().saturating_sub(room as usize)));
        permit.forget();
        let chunk = Bytes::copy_from_slice(chunk);
        let length = chunk.len();
        Poll::Ready(this.pipe.push(chunk, room).map(|()| length).map_err(to_io))
    }

    /// Waits until all that was written is read.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read(cx).map_err(to_io)
    }

    /// Ends the stream.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_here(Ok(()), CallSite::Shutdown);
        Poll::Ready(Ok(()))
    }
}

impl Sink<Bytes> for ResponseStream {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        // How large the chunk will be is not known.
        let permit = ready!(this.room.poll(&this.pipe, 1, cx))?;
        this.room.permit = Some(permit);
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, chunk: Bytes) -> Result<()> {
        let this = &mut *self;
        let mut room = 0;
        if let Some(permit) = this.room.permit.take() {
            room = permit.num_permits();
            permit.forget();
        }
        // It takes what room there is; of one that is larger, the rest is over the mark, as in Node.
        let rest = (this.pipe.room_for(chunk.len()) as usize).saturating_sub(room);
        let rest = rest.min(this.pipe.room.available_permits());
        let rest = u32::try_from(rest).unwrap_or(u32::MAX);
        if let Ok(permit) = this.pipe.room.try_acquire_many(rest) {
            permit.forget();
            room += rest as usize;
        }
        this.pipe
            .push(chunk, u32::try_from(room).unwrap_or(u32::MAX))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_read(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        self.end_here(Ok(()), CallSite::Shutdown);
        Poll::Ready(Ok(()))
    }
}

impl ResponseStream {
    /// Waits until all that was written is read, when all the room is free.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // What a sink was ready for and did not send.
        self.room.permit = None;
        let whole = self.pipe.whole_room();
        let permit = ready!(self.room.poll(&self.pipe, whole, cx));
        Poll::Ready(permit.map(drop))
    }
}

fn to_io(error: Error) -> io::Error {
    let kind = match error.error_type() {
        "Runtime.StreamClosed" => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(
        kind,
        Box::<dyn std::error::Error + Send + Sync>::from(error),
    )
}
