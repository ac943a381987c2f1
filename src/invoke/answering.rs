//! What keeps an answered invocation from being cut off.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether an invocation has its answer, so that nothing of it may be cut off any more.
#[derive(Clone, Default)]
pub(crate) struct Answering(Arc<AtomicBool>);

impl Answering {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[cfg(feature = "lambda")]
    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
