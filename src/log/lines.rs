//! The log lines of one invocation, for the comparison with the original function.

use super::{INSTALLED, SETTINGS, STOOD_IN, is_ours, ours};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::atomic::Ordering,
};
use tracing::{dispatcher, level_filters::LevelFilter};

/// How many lines of one invocation are kept. Further lines are only counted.
pub(crate) const LINES: usize = 1_000;

/// How many bytes of a line are kept.
pub(crate) const LINE: usize = 128 * 1024;

/// The first lines that the handler logged, without those of this crate. Each comes with the target
/// that logged it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) more: usize,
}

static KEPT: Mutex<BTreeMap<String, Kept>> = Mutex::new(BTreeMap::new());

/// Runs a future, and returns the lines that were logged meanwhile in the span of an invocation. If
/// this crate does not write the program's log, only the lines of this thread are returned, and
/// this crate writes them meanwhile.
pub(crate) async fn kept<F: Future>(request_id: &str, future: F) -> (F::Output, Kept) {
    let _guard = Guard(request_id);
    KEPT.lock().insert(request_id.into(), Kept::default());
    let output = if INSTALLED.load(Ordering::Acquire) {
        future.await
    } else {
        // ORDERING: Relaxed, since the flag publishes no other data, and `init` is called later.
        STOOD_IN.store(true, Ordering::Relaxed);
        let (mut future, ours) = (pin!(future), ours());
        poll_fn(|cx| dispatcher::with_default(&ours, || future.as_mut().poll(cx))).await
    };
    let kept = KEPT.lock().get_mut(request_id).map(std::mem::take);
    (output, kept.unwrap_or_default())
}

/// Returns the most verbose level that is written for any target.
pub(crate) fn level() -> LevelFilter {
    let levels = SETTINGS.levels.iter().map(|(_, level)| level);
    let levels = levels.chain(SETTINGS.levels.default_level());
    levels.max().unwrap_or(LevelFilter::OFF)
}

struct Guard<'a>(&'a str);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        KEPT.lock().remove(self.0);
    }
}

pub(super) fn add(request_id: &str, target: &str, line: &str) {
    if is_ours(target) {
        return;
    }
    if let Some(kept) = KEPT.lock().get_mut(request_id) {
        if kept.lines.len() < LINES {
            let end = (0..=LINE.min(line.len()))
                .rev()
                .find(|end| line.is_char_boundary(*end));
            let line = line.get(..end.unwrap_or_default()).unwrap_or_default();
            kept.lines.push((target.into(), line.into()));
        } else {
            kept.more += 1;
        }
    }
}
