//! Implements tokio's `AsyncWrite` and the `Sink` of futures for a response stream.

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

/// The room that a handle waits for or has taken. The mutex is never locked, since each access is
/// through `&mut`. It only makes the type `Sync`, which the boxed future is not.
#[derive(Default)]
pub(super) struct Room {
    waiting: Mutex<Option<BoxFuture<'static, Permit>>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Polls for room. If an earlier poll is pending, its future continues, and the permit is for
    /// the room that was wanted then, which may be more or less than `wanted`.
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
        // The permit may be for an earlier, shorter buffer. The caller then writes the rest in
        // another call.
        let chunk = bytes.get(..permit.num_permits()).unwrap_or(bytes);
        let room = this.pipe.room_for(chunk.len());
        drop(permit.split(permit.num_permits().saturating_sub(room as usize)));
        permit.forget();
        let chunk = Bytes::copy_from_slice(chunk);
        let length = chunk.len();
        Poll::Ready(this.pipe.push(chunk, room).map(|()| length).map_err(to_io))
    }

    /// Waits until everything that was written is read.
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
        // The size of the chunk is not known yet.
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
        // `start_send` cannot wait, so the chunk takes the room that is available. If it is larger,
        // the pipe holds more than the high-water mark, as in Node.
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
    /// Waits until everything that was written is read, which is when the total room is available.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // Releases the room of a `poll_ready` that no `start_send` followed.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        completion::{InvocationWaiter, Origin, Responder, into_callback},
        stream::StreamReader,
    };
    use futures::{FutureExt, SinkExt};
    use std::pin::pin;
    use tokio::io::AsyncWriteExt;
    use tracing::Span;

    /// Returns a stream, its reader, and the waiter for its end.
    fn stream(high_water_mark: usize) -> (ResponseStream, StreamReader, InvocationWaiter) {
        let (responder, waiter) = Responder::new(Span::none(), None);
        let callback = into_callback(responder.clone_as(Origin::first(), true), |()| {
            Ok(Bytes::new())
        });
        let pipe = Pipe::new(high_water_mark, None);
        let reader = pipe.reader();
        (ResponseStream::new(pipe, callback), reader, waiter)
    }

    fn read(reader: &StreamReader) -> Option<Bytes> {
        let read = reader.chunk().now_or_never()?;
        read.map(|chunk| chunk.unwrap())
    }

    #[test]
    fn writes_wait_for_room_in_the_order_in_which_they_began() {
        let (stream, reader, _waiter) = stream(10);
        let clone = stream.clone();
        for text in ["12345", "6789"] {
            stream.write(text).now_or_never().unwrap().unwrap();
        }
        let (mut large, mut small) = (pin!(stream.write("abc")), pin!(clone.write("d")));
        assert!(large.as_mut().now_or_never().is_none());
        // There is room for it, but the other write began earlier.
        assert!(small.as_mut().now_or_never().is_none());
        assert_eq!(read(&reader).unwrap(), "12345");
        large.now_or_never().unwrap().unwrap();
        small.now_or_never().unwrap().unwrap();
        let rest: Vec<_> = std::iter::from_fn(|| read(&reader)).collect();
        assert_eq!(rest, ["6789", "abc", "d"]);
    }

    #[test]
    fn a_chunk_that_is_larger_than_the_mark_fills_the_whole_pipe() {
        let (stream, reader, _waiter) = stream(4);
        stream.write("1").now_or_never().unwrap().unwrap();
        let large = "x".repeat(100);
        let mut write = pin!(stream.write(large.as_str()));
        assert!(write.as_mut().now_or_never().is_none());
        assert_eq!(read(&reader).unwrap(), "1");
        write.now_or_never().unwrap().unwrap();
        assert!(stream.write("2").now_or_never().is_none());
        assert_eq!(read(&reader).unwrap(), large);
        stream.write("2").now_or_never().unwrap().unwrap();
    }

    #[test]
    fn a_write_that_is_dropped_has_written_nothing_and_releases_its_room() {
        let (stream, reader, _waiter) = stream(4);
        stream.write("1234").now_or_never().unwrap().unwrap();
        for _ in 0..100 {
            assert!(stream.write("5").now_or_never().is_none());
        }
        assert_eq!(read(&reader).unwrap(), "1234");
        stream.write("6789").now_or_never().unwrap().unwrap();
        assert_eq!(read(&reader).unwrap(), "6789");
        assert_eq!(read(&reader), None);
    }

    #[test]
    fn a_writer_writes_what_there_is_room_for_and_flushes_when_everything_is_read() {
        let (mut stream, reader, _waiter) = stream(4);
        let write = |stream: &mut ResponseStream, bytes: &'static [u8]| {
            stream.write_all(bytes).now_or_never().map(Result::unwrap)
        };
        let written = AsyncWriteExt::write(&mut stream, b"123456").now_or_never();
        assert_eq!(written.unwrap().unwrap(), 4);
        assert_eq!(write(&mut stream, b"56"), None);
        assert!(AsyncWriteExt::flush(&mut stream).now_or_never().is_none());
        assert_eq!(read(&reader).unwrap(), "1234");
        AsyncWriteExt::flush(&mut stream)
            .now_or_never()
            .unwrap()
            .unwrap();
        // The pending `write_all` has only waited for room, and has written nothing.
        write(&mut stream, b"56").unwrap();
        assert_eq!(read(&reader).unwrap(), "56");
        stream.shutdown().now_or_never().unwrap().unwrap();
        let error = stream.write_all(b"7").now_or_never().unwrap().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("ended at the shutdown of its writer"),
            "{error}"
        );
    }

    #[test]
    fn a_sink_is_ready_while_there_is_room() {
        let (mut stream, reader, _waiter) = stream(4);
        let chunk = Bytes::from_static(b"123");
        stream.feed(chunk.clone()).now_or_never().unwrap().unwrap();
        stream.feed(chunk.clone()).now_or_never().unwrap().unwrap();
        assert!(stream.feed(chunk.clone()).now_or_never().is_none());
        assert!(
            SinkExt::<Bytes>::flush(&mut stream)
                .now_or_never()
                .is_none()
        );
        assert_eq!(
            [read(&reader), read(&reader)],
            [Some(chunk.clone()), Some(chunk)]
        );
        SinkExt::<Bytes>::flush(&mut stream)
            .now_or_never()
            .unwrap()
            .unwrap();
        SinkExt::<Bytes>::close(&mut stream)
            .now_or_never()
            .unwrap()
            .unwrap();
        assert!(stream.pipe.room.is_closed());
    }

    #[test]
    fn every_wait_ends_when_the_client_disconnects() {
        let (mut stream, reader, _waiter) = stream(4);
        stream.write("1234").now_or_never().unwrap().unwrap();
        let clone = stream.clone();
        let mut waits = pin!(clone.write("5"));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(reader);
        let gone = "the response stream was closed: the client is gone";
        let error = waits.now_or_never().unwrap().unwrap_err();
        assert_eq!(
            (error.error_type(), error.message()),
            ("Runtime.StreamClosed", gone)
        );
        let error = stream.write_all(b"6").now_or_never().unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        let error = SinkExt::send(&mut stream, Bytes::new())
            .now_or_never()
            .unwrap()
            .unwrap_err();
        assert_eq!(error.message(), gone);
    }
}
