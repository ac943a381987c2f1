//! Ctrl+C during a benchmark.

use crate::local::Signals;
use indicatif::ProgressBar;
use std::{
    io::{self, Write},
    process,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};
use tokio::runtime;

/// Sets `stop` at the first Ctrl+C; the second ends the process. A thread of its own waits for
/// them, since a benchmark may keep all threads of its runtime busy. If that cannot be set up, the
/// first Ctrl+C ends the process, as it does by default.
pub(super) fn stop_at_ctrl_c(stop: &'static AtomicBool, bar: ProgressBar) {
    let (is_set_up, set_up) = mpsc::channel::<()>();
    let wait = move || {
        let runtime = runtime::Builder::new_current_thread().enable_io().build();
        if let Ok(runtime) = runtime {
            let _ = runtime.block_on(wait(stop, &bar, is_set_up));
        }
    };
    let _ = thread::Builder::new().name("ctrl-c".into()).spawn(wait);
    // The thread ends when the other side is dropped.
    let _ = set_up.recv();
}

#[expect(
    clippy::exit,
    reason = "the second Ctrl+C does not wait for the handler"
)]
async fn wait(stop: &AtomicBool, bar: &ProgressBar, is_set_up: mpsc::Sender<()>) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    drop(is_set_up);
    signals.next().await;
    // ORDERING: Relaxed, since nothing is published by the flag.
    stop.store(true, Ordering::Relaxed);
    bar.suspend(|| {
        let message =
            "stopping after the current invocation; Ctrl+C again ends the program at once";
        let _ = writeln!(io::stderr(), "{message}");
    });
    signals.next().await;
    process::exit(130)
}
