//! The lines of one invocation, for a comparison with those of its original.

use super::{INSTALLED, SETTINGS, STOOD_IN, ours};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::atomic::Ordering,
};
use tracing::{dispatcher, level_filters::LevelFilter};

/// So many lines of one invocation are kept. What follows is counted.
pub(crate) const LINES: usize = 1_000;

/// So many bytes of a line are kept.
pub(crate) const LINE: usize = 128 * 1024;

/// The first lines that the handler logged, without those of this crate. Each has the target that logged it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) more: usize,
}

static KEPT: Mutex<BTreeMap<String, Kept>> = Mutex::new(BTreeMap::new());

/// Runs a future, and returns the lines that were logged meanwhile in the span of an invocation. In a program that does not
/// leave its log to us, they are those that are logged on this thread, and are written as if it did.
pub(crate) async fn kept<F: Future>(request_id: &str, future: F) -> (F::Output, Kept) {
    let _forgets = Guard(request_id);
    KEPT.lock().insert(request_id.into(), Kept::default());
    let output = if INSTALLED.load(Ordering::Acquire) {
        future.await
    } else {
        // ORDERING: Relaxed, since `init` is called by the same program later.
        STOOD_IN.store(true, Ordering::Relaxed);
        let (mut future, ours) = (pin!(future), ours());
        poll_fn(|cx| dispatcher::with_default(&ours, || future.as_mut().poll(cx))).await
    };
    let kept = KEPT.lock().get_mut(request_id).map(std::mem::take);
    (output, kept.unwrap_or_default())
}

/// The most verbose level that is written of any target.
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
    if target == "nodeback" || target.starts_with("nodeback::") {
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
