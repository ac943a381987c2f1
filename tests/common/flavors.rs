//! Runs a test on every flavor of tokio's runtime.

use std::future::Future;
use tokio::runtime::Builder;

/// Runs a test on a current-thread runtime, and on multi-threaded runtimes with one and with four
/// workers.
pub(crate) fn on_every_flavor<F>(test: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let current_thread = Builder::new_current_thread().enable_all().build().unwrap();
    current_thread.block_on(test());
    for workers in [1, 4] {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(workers)
            .enable_all()
            .build()
            .unwrap();
        // A spawned task runs on a worker, whereas `block_on` polls its future on this thread.
        let ended = runtime.block_on(async { tokio::spawn(test()).await });
        if let Err(error) = ended {
            panic!("on {workers} workers: {error}");
        }
    }
}
