//! A Runtime API with a thread for each connection and one write for each reply. It hands out as
//! many concurrent events as the function polls for. It verifies the figures of
//! [`stub`](super::stub), and measures many invocations in flight.

use super::{api::Ran, http};
use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

pub(crate) struct Blocking {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    polled: mpsc::Receiver<Instant>,
    ended: mpsc::Receiver<Ran>,
}

struct Shared {
    work: parking_lot::Mutex<Work>,
    more: parking_lot::Condvar,
    connections: AtomicUsize,
    polled: mpsc::Sender<Instant>,
    ended: mpsc::Sender<Ran>,
}

/// A batch of events, and when each was handed out.
#[derive(Default)]
struct Work {
    event: Vec<u8>,
    times: usize,
    handed_out: Vec<Instant>,
    latencies: Vec<Duration>,
}

impl Blocking {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (polled_queue, polled) = mpsc::channel();
        let (ended_queue, ended) = mpsc::channel();
        let shared = Arc::new(Shared {
            work: parking_lot::Mutex::default(),
            more: parking_lot::Condvar::new(),
            connections: AtomicUsize::new(0),
            polled: polled_queue,
            ended: ended_queue,
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&serving);
                // The error of a connection is ignored: a process that ends breaks its connections.
                thread::spawn(move || serve(stream, &shared).ok());
            }
        });
        Blocking {
            address,
            shared,
            polled,
            ended,
        }
    }

    pub(crate) fn polled(&self) -> Instant {
        self.polled
            .recv_timeout(super::api::LONG)
            .expect("a process that polls")
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn invoke(&self, event: &[u8], times: u32) -> Ran {
        *self.shared.work.lock() = Work {
            event: event.to_vec(),
            times: times as usize,
            ..Work::default()
        };
        self.shared.more.notify_all();
        let ran = self.ended.recv_timeout(super::api::LONG);
        ran.expect("a response to each event")
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (mut reader, mut writer) = http::connection(stream)?;
    while let Some(request) = http::read(&mut reader)? {
        let path = request.start.split(' ').nth(1).unwrap_or_default();
        let reply = if path.ends_with("/next") {
            let _ = shared.polled.send(Instant::now());
            shared.next()
        } else {
            let at = path.rsplit(['-', '/']).nth(1);
            let at = at.and_then(|at| at.parse().ok()).expect("a request id");
            shared.accept(at, &request.body, path);
            super::api::ACCEPTED.to_vec()
        };
        writer.write_all(&reply)?;
    }
    Ok(())
}

impl Shared {
    fn next(&self) -> Vec<u8> {
        let mut work = self.work.lock();
        while work.handed_out.len() == work.times {
            self.more.wait(&mut work);
        }
        let at = work.handed_out.len();
        let request_id = format!("8476a536-e9f4-11e8-9739-{at:012}");
        let reply = super::api::event_reply(&request_id, &work.event);
        work.handed_out.push(Instant::now());
        reply
    }

    fn accept(&self, at: usize, body: &[u8], path: &str) {
        let mut work = self.work.lock();
        // Python adds spaces to the JSON, so that the echo may be longer.
        let echoed = path.ends_with("/response") && body.len() >= work.event.len();
        assert!(
            echoed,
            "not an echo: {path}: {}",
            String::from_utf8_lossy(body)
        );
        let latency = work.handed_out.get(at).expect("handed out").elapsed();
        work.latencies.push(latency);
        if work.latencies.len() == work.times {
            let whole = work.handed_out.first().expect("one").elapsed();
            let latencies = std::mem::take(&mut work.latencies);
            let _ = self.ended.send(Ran { whole, latencies });
        }
    }
}
