//! The functions that are measured. The functions in Rust are this binary, started with the
//! variable [`FUNCTION`]. All of them write the same chunks.

use super::{flavor, http};
use lambda_runtime::{LambdaEvent, StreamResponse, service_fn};
use nodeback::{Bytes, ResponseStream, streamify_response};
use serde::Deserialize;
use std::{
    env, fs,
    io::Write,
    net::TcpStream,
    path::Path,
    process::{self, Command},
};

/// Names the function that this process runs, if it is not the benchmark itself.
pub(crate) const FUNCTION: &str = "NODEBACK_BENCH_FUNCTION";

pub(crate) const CHUNK: usize = 16 * 1024;

#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    /// The name of the candidate of lambda_runtime that it is compared with.
    pub(crate) baseline: &'static str,
    pub(crate) command: fn() -> Command,
}

pub(crate) const NODE_CLIENT: &str = "Node client 3.3.0";
const BARE_ONE: &str = "lambda_runtime, one thread";
const BARE_SEVERAL: &str = "lambda_runtime, several threads";

pub(crate) const CANDIDATES: [Candidate; 7] = [
    candidate("nodeback, one thread", BARE_ONE, || {
        ourselves("nodeback@one")
    }),
    candidate("nodeback, several threads", BARE_SEVERAL, || {
        ourselves("nodeback@several")
    }),
    candidate("nodeback, one thread, mark of 64 KiB", BARE_ONE, || {
        ourselves("64 KiB@one")
    }),
    candidate(BARE_ONE, BARE_ONE, || ourselves("channel@one")),
    candidate(BARE_SEVERAL, BARE_SEVERAL, || ourselves("channel@several")),
    candidate(NODE_CLIENT, BARE_ONE, node),
    candidate("raw socket loop", BARE_ONE, || ourselves("raw@one")),
];

const fn candidate(
    name: &'static str,
    baseline: &'static str,
    command: fn() -> Command,
) -> Candidate {
    Candidate {
        name,
        baseline,
        command,
    }
}

impl Candidate {
    pub(crate) fn is_present(&self) -> bool {
        let is_present = self.name != NODE_CLIENT || Path::new(CLIENT).exists();
        if !is_present {
            println!("left out: {NODE_CLIENT}: run tests/live/node.sh native");
        }
        is_present
    }
}

fn ourselves(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this binary"));
    command.env(FUNCTION, name);
    command
}

const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/live/native-node/node_modules/aws-lambda-ric/bin/index.mjs"
);

const NODE: &str = r"
const chunk = Buffer.alloc(16384, 'x');
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    for (let n = 0; n < event.chunks; n++) {
        if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
});
";

/// Writes the source file of the function for Node.
pub(crate) fn write_original() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::write(folder.join("streams.js"), NODE).expect("written");
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.args([CLIENT, "streams.handler"]);
    command
}

#[derive(Deserialize)]
struct Size {
    chunks: usize,
}

/// Runs a function until the process is killed.
pub(crate) fn function(name: &str) {
    let (name, flavor) = flavor::split(name);
    if name == "raw" {
        return raw();
    }
    flavor::runtime(flavor).block_on(on_tokio(name));
}

async fn on_tokio(name: &str) {
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    match name {
        "nodeback" | "64 KiB" => {
            let handler = streamify_response(move |event: Size, stream: ResponseStream| {
                let chunk = chunk.clone();
                async move {
                    for _ in 0..event.chunks {
                        stream.write(chunk.clone()).await?;
                    }
                    stream.end().await
                }
            });
            let handler = match name {
                "nodeback" => handler,
                _ => handler.high_water_mark(64 * 1024),
            };
            nodeback::run(handler).await.expect("a Runtime API");
        }
        "channel" => {
            let handler = service_fn(move |event: LambdaEvent<Size>| {
                let chunk = chunk.clone();
                async move {
                    let (mut sender, body) = lambda_runtime::streaming::channel();
                    tokio::spawn(async move {
                        for _ in 0..event.payload.chunks {
                            if sender.send_data(chunk.clone()).await.is_err() {
                                return;
                            }
                        }
                    });
                    Ok::<_, lambda_runtime::Error>(StreamResponse::from(body))
                }
            });
            lambda_runtime::run(handler).await.expect("a Runtime API");
        }
        name => panic!("no function {name}"),
    }
}

/// A blocking socket without an HTTP library, with one write for each chunk.
fn raw() {
    let address = env::var("AWS_LAMBDA_RUNTIME_API").expect("an address");
    let stream = TcpStream::connect(&address).expect("a Runtime API");
    let (mut reader, mut writer) = http::connection(stream).expect("a socket");
    let api = "/2018-06-01/runtime/invocation";
    let poll = format!("GET {api}/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let post = format!(
        "POST {api}/id/response HTTP/1.1\r\nHost: {address}\r\n\
         Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = [
        format!("{CHUNK:x}\r\n").as_bytes(),
        &[b'x'; CHUNK][..],
        b"\r\n",
    ]
    .concat();
    loop {
        writer.write_all(poll.as_bytes()).expect("written");
        let Ok(Some(event)) = http::read(&mut reader) else {
            process::exit(0);
        };
        let event: Size = serde_json::from_slice(&event.body).expect("JSON");
        writer.write_all(post.as_bytes()).expect("written");
        for _ in 0..event.chunks {
            writer.write_all(&chunk).expect("written");
        }
        writer.write_all(b"0\r\n\r\n").expect("written");
        http::read(&mut reader).expect("a reply");
    }
}
