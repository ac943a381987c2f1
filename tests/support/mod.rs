//! Helpers for the tests that start processes.
#![allow(
    dead_code,
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    reason = "shared by tests, each of which uses a part of it"
)]

pub mod bad_api;
pub mod runtime_api;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, Output, Stdio},
    sync::{
        atomic::{AtomicU16, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// The root of the repository.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Returns the command of an example that cargo built for this test run. It runs in the root of the
/// repository.
pub fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("the path of the test");
    path.pop();
    path.pop();
    let path: PathBuf = path.join("examples").join(name);
    assert!(
        path.exists(),
        "{} does not exist: run `cargo test`, which builds the examples",
        path.display()
    );
    let mut command = Command::new(path);
    command.current_dir(ROOT);
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(variable);
    }
    command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
    command
}

/// Sets the environment variables that Lambda sets, with `api` as the address of the Runtime API.
pub fn on_lambda(command: &mut Command, api: SocketAddr) {
    command
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "cases")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/cases")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream");
}

/// Returns a command that runs this test program as a Lambda function: its test `function` starts
/// the handler called `name`.
pub fn function(name: &str, api: SocketAddr) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of the test"));
    command
        .args(["--ignored", "--exact", "function", "--nocapture"])
        .env_remove("RUST_BACKTRACE")
        .env("_HANDLER", name);
    on_lambda(&mut command, api);
    command
}

/// Runs the command to its end, with `input` as its standard input.
pub fn output(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    // A program that does not read its input may already have closed it.
    let _ = child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input.as_bytes());
    child.wait_with_output().expect("the example ends")
}

/// A process that is killed when the test is over. A thread reads its standard error, so that the
/// process never blocks on a full pipe.
pub struct Process {
    child: Child,
    log: Receiver<String>,
    seen: String,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        Process::start(command).0
    }

    /// Starts the process with its standard output in the log, too.
    pub fn spawn_logged(command: &mut Command) -> Self {
        let (mut process, lines) = Process::start(command);
        collect_lines(process.child.stdout.take().expect("a pipe"), lines);
        process
    }

    fn start(command: &mut Command) -> (Self, Sender<String>) {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the process starts");
        let (lines, log) = mpsc::channel();
        collect_lines(child.stderr.take().expect("a pipe"), lines.clone());
        let process = Process {
            child,
            log,
            seen: String::new(),
        };
        (process, lines)
    }

    /// Returns the memory of the process in kB: `VmRSS` is what is resident now, `VmHWM` the peak.
    /// Returns `None` on systems without `/proc`.
    pub fn memory(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let line = line.trim_start_matches(':').trim();
        line.strip_suffix(" kB")?.parse().ok()
    }

    /// Returns the number of open files, or `None` on systems without `/proc`.
    pub fn open_files(&self) -> Option<usize> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?;
        Some(files.count())
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(kill.expect("kill").success());
    }

    /// Asks the process to end and waits until it has, so that it can end its own children.
    pub fn terminate(&mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }

    pub fn stdout(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.child.stdout.take().expect("a pipe"))
    }

    /// Waits for a line of the log that contains `text`, and returns the log up to that line.
    pub fn wait_for(&mut self, text: &str) -> &str {
        while !self.seen.contains(text) {
            let line = self.log.recv_timeout(Duration::from_secs(30));
            self.seen += &line.unwrap_or_else(|_| panic!("no `{text}` in:\n{}", self.seen));
        }
        &self.seen
    }

    /// Returns the log of a process that has ended. Its children may still hold the log open, so
    /// this stops after a second without a line.
    pub fn ended_log(&mut self) -> &str {
        while let Ok(line) = self.log.recv_timeout(Duration::from_secs(1)) {
            self.seen += &line;
        }
        &self.seen
    }

    /// Waits until the process ends, and returns its log and its exit code.
    pub fn end(mut self) -> (String, Option<i32>) {
        let code = self.child.wait().expect("the process ends").code();
        self.seen.extend(self.log.iter());
        (std::mem::take(&mut self.seen), code)
    }

    /// Kills the process and returns its log.
    pub fn log(mut self) -> String {
        self.child.kill().expect("the process runs");
        self.end().0
    }
}

fn collect_lines(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let _ = lines.send(line.expect("text") + "\n");
        }
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the path of a file that a script of `tests/live` installed.
pub fn live(path: &str) -> PathBuf {
    let path = Path::new(ROOT).join("target/live").join(path);
    assert!(
        path.exists(),
        "{} is missing: run the script of tests/live that the test needs",
        path.display()
    );
    path
}

/// Returns an address for a program that cannot choose a free port itself. Its port is below the
/// range from which the system assigns local ports to connections.
pub fn free_address() -> SocketAddr {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + process::id() % 1_000 * 20;
    loop {
        let port = first as u16 + TRIED.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Waits until a server listens on the address.
pub fn wait_until_open(address: SocketAddr) {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "nothing listens on {address}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// A folder for the files of one test, deleted when the test is over.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the seed in `NODEBACK_SEED`, or a new one. It prints the seed, so that the run can be
/// repeated.
pub fn seed() -> u64 {
    let seed = match std::env::var("NODEBACK_SEED") {
        Ok(seed) => seed.parse().expect("NODEBACK_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("NODEBACK_SEED={seed}");
    seed
}

/// Returns `full` if `NODEBACK_FULL` is 1, and `small` otherwise.
pub fn size(small: u64, full: u64) -> u64 {
    if is_full() { full } else { small }
}

pub fn is_full() -> bool {
    std::env::var("NODEBACK_FULL").is_ok_and(|full| full == "1")
}
