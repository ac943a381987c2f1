//! The process of a function on a Runtime API, and the resources that it uses.

use super::api::{Api, Kind, Ran};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Returns the path of a file that one of the scripts in `tests/live` installed.
pub(crate) fn live(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/live")
        .join(path)
}

pub(crate) struct Process {
    /// `None` if the emulator started the process.
    child: Option<Child>,
    pub(crate) api: Api,
    /// The time from the start of the process to its first poll.
    pub(crate) start: Duration,
}

/// What an invocation used, on average.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Wall time in microseconds.
    pub(crate) wall: f64,
    /// User and system time in microseconds.
    pub(crate) cpu: f64,
    /// Minor page faults, which need no I/O.
    pub(crate) faults: f64,
}

impl Process {
    pub(crate) fn start(kind: Kind, mut command: Command) -> Self {
        command
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "echo")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/echo")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("LAMBDA_TASK_ROOT", env!("CARGO_TARGET_TMPDIR"))
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if !command.get_envs().any(|(name, _)| name == "_HANDLER") {
            command.env("_HANDLER", "echo.handler");
        }
        let api = Api::start(kind, &command);
        let (mut child, mut start) = (None, Duration::ZERO);
        if let Some(address) = api.address() {
            command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
            let begin = Instant::now();
            let spawned = command.spawn();
            let program = command.get_program().to_owned();
            child = Some(spawned.unwrap_or_else(|error| panic!("{program:?}: {error}")));
            start = api
                .polled()
                .map_or(start, |polled| polled.duration_since(begin));
        }
        Process { child, api, start }
    }

    /// Runs `times` invocations, one after the other.
    pub(crate) fn invoke(&mut self, event: &[u8], times: u32) -> (Sample, Ran) {
        let before = Spent::of(self.id());
        let ran = self.api.invoke(event, times);
        let spent = Spent::of(self.id());
        let times = f64::from(times);
        let sample = Sample {
            wall: ran.whole.as_secs_f64() * 1e6 / times,
            cpu: (spent.cpu - before.cpu) / times,
            faults: (spent.faults - before.faults) / times,
        };
        (sample, ran)
    }

    /// Returns the peak resident memory in MB, or NaN if the system does not report it.
    pub(crate) fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        peak.map_or(f64::NAN, |kilobytes| kilobytes / 1024.0)
    }

    fn id(&self) -> u32 {
        match (&self.child, &self.api) {
            (Some(child), _) => child.id(),
            (None, Api::Emulator(emulator)) => emulator.function().unwrap_or(0),
            (None, _) => 0,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a process has used so far. A figure that the system does not report is NaN.
struct Spent {
    /// In microseconds.
    cpu: f64,
    faults: f64,
}

impl Spent {
    fn of(id: u32) -> Self {
        // The first field of `schedstat` is the time that a thread has run, in nanoseconds. Threads
        // that have ended do not count.
        let threads = fs::read_dir(format!("/proc/{id}/task"));
        let on_processor = |path: PathBuf| {
            let text = fs::read_to_string(path.join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        };
        let cpu = threads.map_or(f64::NAN, |threads| {
            let threads = threads.flatten();
            threads
                .filter_map(|thread| on_processor(thread.path()))
                .sum()
        });
        Spent {
            cpu: cpu / 1e3,
            faults: stat(id, 7)
                .and_then(|faults| faults.parse().ok())
                .unwrap_or(f64::NAN),
        }
    }
}

/// Returns a field of `/proc/ID/stat`, counted from the first one after the name, which may contain
/// spaces.
fn stat(id: u32, field: usize) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields = text.rsplit_once(") ")?.1;
    fields.split(' ').nth(field).map(String::from)
}

/// Returns a child of a process, if there is one.
pub(crate) fn child_of(parent: u32) -> Option<u32> {
    let parent = parent.to_string();
    fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|id| stat(*id, 1).as_ref() == Some(&parent))
}
