//! A Runtime API that does as little as possible, so that it barely affects the figures: it uses
//! raw HTTP on one thread for all connections, and prepares its replies in advance.

use super::api::{ACCEPTED, LONG, event_reply};
use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle},
    sync::{Mutex, mpsc},
    task::AbortHandle,
};

/// The Runtime API of one process.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    batches: mpsc::UnboundedSender<Batch>,
    polled: std_mpsc::Receiver<Instant>,
    ended: std_mpsc::Receiver<Duration>,
    accepting: AbortHandle,
    connections: Arc<AtomicUsize>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A batch of consecutive events.
struct Batch {
    reply: Vec<u8>,
    /// The length of each response, which echoes the event.
    len: usize,
    left: u32,
    since: Option<Instant>,
}

struct Work {
    batches: mpsc::UnboundedReceiver<Batch>,
    now: Option<Batch>,
    polled: std_mpsc::Sender<Instant>,
    ended: std_mpsc::Sender<Duration>,
}

/// The runtime that serves all stubs.
static SERVER: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let handle = runtime.handle().clone();
    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

impl Stub {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("tokio's");
        let (batches, batch_queue) = mpsc::unbounded_channel();
        let (polled_queue, polled) = std_mpsc::channel();
        let (ended_queue, ended) = std_mpsc::channel();
        let work = Arc::new(Mutex::new(Work {
            batches: batch_queue,
            now: None,
            polled: polled_queue,
            ended: ended_queue,
        }));
        let connections = Arc::new(AtomicUsize::new(0));
        let made = Arc::clone(&connections);
        let accepting = SERVER.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                made.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, Arc::clone(&work)));
            }
        });
        Stub {
            address,
            batches,
            polled,
            ended,
            accepting: accepting.abort_handle(),
            connections,
        }
    }

    /// Waits for the first poll and returns its time.
    pub(crate) fn polled(&self) -> Instant {
        self.polled
            .recv_timeout(LONG)
            .expect("a process that polls")
    }

    /// Returns the number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Runs `times` invocations. Returns the time from the first reply to the poll after the last
    /// response.
    pub(crate) fn invoke(&self, event: &[u8], times: u32) -> Duration {
        let reply = event_reply("8476a536-e9f4-11e8-9739-2dfe598c3fcd", event);
        let batch = Batch {
            reply,
            len: event.len(),
            left: times,
            since: None,
        };
        assert!(self.batches.send(batch).is_ok(), "the stub is served");
        let ended = self.ended.recv_timeout(LONG);
        ended.expect("a response to each event")
    }
}

async fn serve(mut stream: TcpStream, work: Arc<Mutex<Work>>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(256 * 1024);
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let mut work = work.lock().await;
        let written = if request.is_next {
            let Some(batch) = work.next().await else {
                return;
            };
            stream.write_all(&batch.reply).await
        } else {
            let expected = work.now.as_ref().map(|batch| batch.len);
            // Python adds spaces to the JSON, so that the echo may be longer.
            let echoed = expected.is_some_and(|len| request.body >= len);
            assert!(request.is_response && echoed, "not an echo: {request:?}");
            stream.write_all(ACCEPTED).await
        };
        if written.is_err() {
            return;
        }
    }
}

impl Work {
    async fn next(&mut self) -> Option<&Batch> {
        let over = |batch: &mut Batch| batch.left == 0;
        if let Some(Batch {
            since: Some(since), ..
        }) = self.now.take_if(over)
        {
            let _ = self.ended.send(since.elapsed());
        }
        if self.now.is_none() {
            let _ = self.polled.send(Instant::now());
            self.now = self.batches.recv().await;
        }
        let batch = self.now.as_mut()?;
        batch.since.get_or_insert_with(Instant::now);
        batch.left -= 1;
        Some(batch)
    }
}

#[derive(Debug)]
struct Request {
    is_next: bool,
    is_response: bool,
    /// The length of the body.
    body: usize,
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    buffer.clear();
    let head = loop {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(buffer.get(..head)?);
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?;
    let (is_next, is_response) = (path.ends_with("/next"), path.ends_with("/response"));
    let mut body = 0;
    for line in lines {
        if let Some((name, value)) = line.split_once(':') {
            assert!(!name.eq_ignore_ascii_case("transfer-encoding"), "{line}");
            if name.eq_ignore_ascii_case("content-length") {
                body = value.trim().parse().ok()?;
            }
        }
    }
    while buffer.len() < head + body {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request {
        is_next,
        is_response,
        body,
    })
}
