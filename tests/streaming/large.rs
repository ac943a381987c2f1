//! Streams of 200 MB, Lambda's limit, and the memory of the process that writes them.

use crate::{api::Api, event, port, ports};
use nodeback::{Runtime, streamify_response};
use std::{fs, future::pending, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Child,
    time::{sleep, timeout},
};

const MIB: usize = 1024 * 1024;
const SIZE: usize = 200 * MIB;

/// Returns the peak memory of a process in kB, if the system provides it.
fn peak(process: &Child) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()?)).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn check_memory(process: &Child) {
    if let Some(peak) = peak(process) {
        println!("peak: {peak} kB");
        assert!(peak < 20 * 1024, "{peak} kB");
    }
}

#[tokio::test]
async fn lambda_gets_200_mb_in_little_memory() {
    let api = Api::start().await;
    let process = port(api.address, "handler", "large-lambda");
    api.polled(1).await;
    api.send(event("200_mb"), Duration::from_secs(100));
    let polled = timeout(Duration::from_secs(100), api.polled(2)).await;
    polled.expect("it is posted within 100 s");
    let posts = api.posts();
    let [post] = posts.as_slice() else {
        panic!("{posts:?}")
    };
    assert!(!post.unfinished && post.trailers.is_empty(), "{post:?}");
    let lengths = post
        .body
        .split([' ', ','])
        .filter_map(|word| word.parse::<usize>().ok());
    assert_eq!(lengths.sum::<usize>(), SIZE, "{}", post.body);
    check_memory(&process);
}

/// The local server, in the process of a function. Its address is in a file.
pub(crate) async fn serve() -> nodeback::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    fs::write(address_file(), listener.local_addr()?.to_string())?;
    let runtime = Runtime::new(streamify_response(ports::handler));
    runtime
        .local_timeout(Duration::from_secs(100))
        .serve(listener, pending())
        .await
}

fn address_file() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("large-address")
}

/// A client that pauses after each 64 KiB, so that the writer waits for it most of the time.
#[tokio::test]
async fn a_client_that_is_slow_gets_200_mb_in_little_memory() {
    let _ = fs::remove_file(address_file());
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let process = port(nowhere, "serve", "large-local");
    let address = loop {
        match fs::read_to_string(address_file())
            .unwrap_or_default()
            .parse::<SocketAddr>()
        {
            Ok(address) => break address,
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    };
    let mut client = TcpStream::connect(address).await.unwrap();
    let event = event("200_mb");
    let request = format!(
        "POST /2021-11-15/functions/f/response-streaming-invocations HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let (mut buffer, mut size, mut tail) = (vec![0; 64 * 1024], 0, Vec::new());
    loop {
        let read = timeout(Duration::from_secs(30), client.read(&mut buffer)).await;
        let read = read.expect("it goes on").unwrap();
        if read == 0 {
            break;
        }
        size += read;
        tail = buffer[..read].to_vec();
        // In this time, the writer could have written more than ten times as much.
        sleep(Duration::from_millis(1)).await;
    }
    assert!(size > SIZE, "{size}");
    let tail = String::from_utf8_lossy(&tail);
    assert!(tail.contains("{}") && tail.ends_with("0\r\n\r\n"), "{tail}");
    check_memory(&process);
}
