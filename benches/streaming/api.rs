//! A Runtime API that reads streams and measures their times, and the process of a function.

use super::candidates::Candidate;
use parking_lot::Mutex;
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// The time of one stream: until its first byte, and in total.
pub(crate) struct Took {
    pub(crate) first: Duration,
    pub(crate) whole: Duration,
}

/// A function's process, with a Runtime API that reads and counts.
pub(crate) struct Process {
    child: Child,
    events: Sender<usize>,
    took: Receiver<Took>,
}

impl Process {
    pub(crate) fn start(candidate: Candidate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (events, to_hand_out) = mpsc::channel();
        let (taken, took) = mpsc::channel();
        let api = Arc::new(Api {
            events: Mutex::new(to_hand_out),
            begin: Mutex::new(Instant::now()),
            took: Mutex::new(taken),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let api = Arc::clone(&api);
                thread::spawn(move || api.serve(stream));
            }
        });
        Process {
            child: spawn(candidate, address),
            events,
            took,
        }
    }

    pub(crate) fn stream(&self, chunks: usize) -> Took {
        self.events.send(chunks).expect("the API runs");
        let took = self.took.recv_timeout(Duration::from_secs(60));
        took.expect("a stream within 60 s")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(candidate: Candidate, address: SocketAddr) -> Child {
    (candidate.command)()
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "streams")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/streams")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("_HANDLER", "streams.handler")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", candidate.name))
}

/// The state that the connections of a function share. A function has one event at a time.
struct Api {
    events: Mutex<Receiver<usize>>,
    begin: Mutex<Instant>,
    took: Mutex<Sender<Took>>,
}

impl Api {
    /// Serves a connection until its other end closes it.
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let _ = stream.set_nodelay(true);
        let mut stream = BufReader::with_capacity(256 * 1024, stream);
        loop {
            let head = head(&mut stream)?;
            if head.starts_with("GET") {
                let chunks = self.events.lock().recv().ok()?;
                *self.begin.lock() = Instant::now();
                stream.get_mut().write_all(&event(chunks)).ok()?;
            } else {
                let first = body(&mut stream)?;
                let begin = *self.begin.lock();
                let took = Took {
                    first: first.duration_since(begin),
                    whole: begin.elapsed(),
                };
                let reply = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
                stream.get_mut().write_all(reply).ok()?;
                self.took.lock().send(took).ok()?;
            }
        }
    }
}

fn event(chunks: usize) -> Vec<u8> {
    let body = format!(r#"{{"chunks":{chunks}}}"#);
    format!(
        "HTTP/1.1 200 OK\r\n\
         Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         Lambda-Runtime-Deadline-Ms: 4000000000000\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:streams\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    Some(head)
}

/// Reads a chunked body to its end. Returns the time at which its first byte arrived.
fn body(stream: &mut BufReader<TcpStream>) -> Option<Instant> {
    let (mut first, mut line) = (None, String::new());
    loop {
        line.clear();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        first.get_or_insert_with(Instant::now);
        if length == 0 {
            break;
        }
        let mut left = length + 2;
        while left > 0 {
            let read = stream.fill_buf().ok()?.len().min(left);
            if read == 0 {
                return None;
            }
            stream.consume(read);
            left -= read;
        }
    }
    // The trailers, up to an empty line.
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    }
    first
}
