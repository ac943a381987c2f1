//! AWS's Runtime Interface Emulator, whose Runtime API is AWS's own code. It starts the function
//! itself and runs one invocation at a time.

use super::{api::Ran, http, process};
use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

pub(crate) struct Emulator {
    child: Child,
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

/// Returns the path at which `tests/live/python.sh` installs the emulator.
pub(crate) fn binary() -> PathBuf {
    process::live("aws-lambda-rie")
}

impl Emulator {
    /// Starts the emulator with the program, the arguments and the environment of `function`.
    pub(crate) fn start(function: &Command) -> Self {
        let [address, api] = free_addresses();
        let mut command = Command::new(binary());
        for (name, value) in function.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command
            .args(["--log-level", "error"])
            .args(["--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &api.to_string()])
            .arg(function.get_program())
            .args(function.get_args())
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "60")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("the emulator");
        let begin = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(begin.elapsed() < super::api::LONG, "{error}"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        let (reader, writer) = http::connection(stream).expect("a socket");
        Emulator {
            child,
            reader,
            writer,
        }
    }

    /// Returns the process of the function, which the emulator starts when the first event arrives.
    pub(crate) fn function(&self) -> Option<u32> {
        process::child_of(self.child.id())
    }

    pub(crate) fn invoke(&mut self, event: &[u8], times: u32) -> Ran {
        let mut request = format!(
            "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            event.len()
        )
        .into_bytes();
        request.extend_from_slice(event);
        let begin = Instant::now();
        let mut latencies = Vec::with_capacity(times as usize);
        for _ in 0..times {
            let sent = Instant::now();
            self.writer.write_all(&request).expect("the emulator reads");
            let reply = http::read(&mut self.reader).expect("the emulator replies");
            let reply = reply.expect("the emulator keeps the connection");
            assert!(reply.start.contains(" 200 ") && reply.body.len() >= event.len());
            latencies.push(sent.elapsed());
        }
        Ran {
            whole: begin.elapsed(),
            latencies,
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(function) = self.function() {
            // Without the Runtime API, the function might continue to poll for a while.
            let _ = Command::new("kill").arg(function.to_string()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address"))
}
