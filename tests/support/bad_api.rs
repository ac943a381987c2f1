//! A Lambda Runtime API that misbehaves. A script decides which bytes it sends in reply to each
//! request, and how.

use std::{
    net::{Shutdown, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time,
};

/// A request that the API received.
#[derive(Clone, Debug)]
pub struct Request {
    /// `next`, `response`, `error` or `init/error`.
    pub endpoint: String,
    pub request_id: String,
    pub body: String,
}

/// How the API replies to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Sends all bytes and keeps the connection open.
    Whole(Vec<u8>),
    /// Sends the bytes, then resets the connection.
    Reset(Vec<u8>),
    /// Sends the bytes, then nothing more.
    Stall(Vec<u8>),
    /// Sends a few bytes at a time.
    Trickle(Vec<u8>),
}

pub fn status(line: &str) -> Reply {
    let body = r#"{"errorType":"Injected"}"#;
    let length = body.len();
    Reply::Whole(format!("HTTP/1.1 {line}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
}

/// Returns the reply of `next` with an event, with only these headers.
pub fn event(headers: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
    let mut reply = b"HTTP/1.1 200 OK\r\n".to_vec();
    for (name, value) in headers {
        reply.extend_from_slice(name.as_bytes());
        reply.extend_from_slice(b": ");
        reply.extend_from_slice(value);
        reply.extend_from_slice(b"\r\n");
    }
    reply.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    reply.extend_from_slice(body);
    reply
}

type Script = dyn FnMut(&Request) -> Reply + Send;

pub struct BadApi {
    pub address: SocketAddr,
    requests: watch::Receiver<Vec<Request>>,
}

impl BadApi {
    pub async fn start(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(script));
        let (record, requests) = watch::channel(Vec::new());
        let record = Arc::new(record);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&record)));
            }
        });
        BadApi { address, requests }
    }

    /// Waits until `enough` is true for the requests received so far, and returns them.
    pub async fn got(&self, enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let mut requests = self.requests.clone();
        let got = requests.wait_for(|requests| enough(requests));
        match time::timeout(Duration::from_secs(60), got).await {
            Ok(requests) => requests.expect("the API runs").clone(),
            Err(_) => panic!("got only these requests: {:?}", *self.requests.borrow()),
        }
    }

    pub fn so_far(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }
}

async fn serve(
    stream: TcpStream,
    script: Arc<Mutex<Script>>,
    record: Arc<watch::Sender<Vec<Request>>>,
) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let reply = (script.lock().expect("no panic"))(&request);
        record.send_modify(|requests| requests.push(request));
        match reply {
            Reply::Whole(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Reply::Reset(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let stream = stream.into_inner();
                let _ = stream.set_zero_linger();
                let _ = stream
                    .into_std()
                    .map(|stream| stream.shutdown(Shutdown::Both));
                return;
            }
            Reply::Stall(bytes) => {
                let _ = stream.write_all(&bytes).await;
                // Waits until the client closes the connection.
                let _ = stream.read_u8().await;
                return;
            }
            Reply::Trickle(bytes) => {
                for piece in bytes.chunks(7) {
                    let _ = stream.write_all(piece).await;
                    time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let path = path.strip_prefix("/2018-06-01/runtime/").unwrap_or(&path);
    let (request_id, endpoint) = match path.strip_prefix("invocation/") {
        Some(rest) => rest.split_once('/').unwrap_or(("", rest)),
        None => ("", path),
    };
    Some(Request {
        endpoint: endpoint.into(),
        request_id: request_id.into(),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}
