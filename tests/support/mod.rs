//! What the tests of whole processes share.
#![allow(
    dead_code,
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "shared by tests, each of which uses a part of it"
)]

pub mod runtime_api;

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// An example as cargo built it for this test run.
pub fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("the path of the test");
    path.pop();
    path.pop();
    let path: PathBuf = path.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo test`, which does",
        path.display()
    );
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(variable);
    }
    command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
    command
}

/// Runs it to its end with `input` on its standard input.
pub fn output(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    // A program that does not want its input may have closed it.
    let _ = child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes());
    child.wait_with_output().expect("the example ends")
}

/// A process that is killed when the test is over. Its standard error is read along, so that it
/// never waits for a reader.
pub struct Process {
    child: Child,
    log: Receiver<String>,
    seen: String,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the process starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (lines, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                let _ = lines.send(line.expect("text") + "\n");
            }
        });
        Process {
            child,
            log,
            seen: String::new(),
        }
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(kill.expect("kill").success());
    }

    pub fn stdout(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.child.stdout.take().expect("a pipe"))
    }

    /// Waits for a line of the log that contains `text`.
    pub fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let line = self.log.recv_timeout(Duration::from_secs(30));
            self.seen += &line.unwrap_or_else(|_| panic!("no `{text}` in:\n{}", self.seen));
        }
    }

    /// Waits for its end: what it wrote to standard error, and its exit code.
    pub fn end(mut self) -> (String, Option<i32>) {
        let code = self.child.wait().expect("the process ends").code();
        self.seen.extend(self.log.iter());
        (std::mem::take(&mut self.seen), code)
    }

    /// Ends it, and gives what it wrote to standard error.
    pub fn log(mut self) -> String {
        self.child.kill().expect("the process runs");
        self.end().0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
