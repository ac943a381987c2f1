//! The state of the current case, and the tasks that keep its event loop busy, as in `original.js`.

use nodeback::{Callback, Context, Error, Task};
use std::{
    future::Future,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::oneshot, task::AbortHandle, time::sleep};

/// The state that is kept between the events of a case.
pub(crate) struct State {
    case: Mutex<String>,
    held: Mutex<Vec<Held>>,
    releasing: Mutex<Option<AbortHandle>>,
    pub(crate) callback: Mutex<Option<Callback>>,
    pub(crate) context: Mutex<Option<Context>>,
    pub(crate) count: AtomicU32,
    pub(crate) ended: AtomicU32,
    pub(crate) leftovers: AtomicU32,
    pub(crate) requests: Mutex<Vec<usize>>,
    pub(crate) secret: Mutex<Option<String>>,
    pub(crate) tries: AtomicU32,
}

/// A sender that releases a task, and a receiver that is closed when the task has ended.
type Held = (oneshot::Sender<()>, oneshot::Receiver<()>);

pub(crate) static STATE: State = State {
    case: Mutex::new(String::new()),
    held: Mutex::new(Vec::new()),
    releasing: Mutex::new(None),
    callback: Mutex::new(None),
    context: Mutex::new(None),
    count: AtomicU32::new(0),
    ended: AtomicU32::new(0),
    leftovers: AtomicU32::new(0),
    requests: Mutex::new(Vec::new()),
    secret: Mutex::new(None),
    tries: AtomicU32::new(0),
};

impl State {
    /// Begins an event of a case, which may ask for a later release of the tasks that `hold` has
    /// spawned.
    pub(crate) fn begin(&self, case: &str, release_after: Option<u64>) {
        let mut current = self.case.lock().unwrap();
        if *current != case && !["idle", "release"].contains(&case) {
            case.clone_into(&mut current);
            self.reset();
        }
        let after = |ms| tokio::spawn(released(sleep(Duration::from_millis(ms)))).abort_handle();
        let before = std::mem::replace(
            &mut *self.releasing.lock().unwrap(),
            release_after.map(after),
        );
        if let Some(before) = before {
            before.abort();
        }
    }

    fn reset(&self) {
        for number in [&self.count, &self.ended, &self.leftovers, &self.tries] {
            number.store(0, Relaxed);
        }
        self.callback.lock().unwrap().take();
        self.context.lock().unwrap().take();
        self.requests.lock().unwrap().clear();
        self.secret.lock().unwrap().take();
    }
}

/// Does the same as `setTimeout(f, ms)`.
pub(crate) fn later(context: &Context, ms: u64, f: impl FnOnce() + Send + 'static) -> Task {
    context.spawn(async move {
        sleep(Duration::from_millis(ms)).await;
        f();
    })
}

/// Keeps the event loop busy until it is released, and then runs `f`.
pub(crate) fn hold(context: &Context, f: impl FnOnce() -> Result<(), Error> + Send + 'static) {
    let (release, released) = oneshot::channel();
    let (ended, end) = oneshot::channel::<()>();
    STATE.held.lock().unwrap().push((release, end));
    context.spawn(async move {
        let _ended = ended;
        // The sender may also be dropped, when another run of the cases begins.
        let _ = released.await;
        f()
    });
}

/// Releases the tasks that `hold` has spawned, and waits until they have ended.
pub(crate) async fn released(when: impl Future<Output = ()>) {
    when.await;
    let held = std::mem::take(&mut *STATE.held.lock().unwrap());
    for (release, end) in held {
        let _ = release.send(());
        let _ = end.await;
    }
}
