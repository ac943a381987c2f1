//! Keeps from a task the wakes that a future causes while it is polled.
//!
//! The two halves of a connection of hyper wake each other. A task that polls both of them wakes
//! itself, which tokio takes for a task that yields: on a runtime with several threads, it wakes
//! another thread to continue the task. That took three quarters of the processor time of an
//! invocation of 100 bytes. Here, the future is polled again at once instead.

use parking_lot::Mutex;
use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// How often a future is polled for one poll of its task. A future that wakes itself more often
/// yields to other tasks.
const POLLS: usize = 8;

pub(super) struct OwnWakes {
    wakes: Arc<Wakes>,
    /// The waker that the future is polled with.
    waker: Waker,
}

#[derive(Default)]
struct Wakes(Mutex<State>);

#[derive(Default)]
struct State {
    /// Whether the future is being polled.
    polling: bool,
    /// Whether the future was woken since its last poll began.
    woken: bool,
    /// The task that waits for the future. `None` while the future is being polled, and after it
    /// was ready or woken the task.
    task: Option<Waker>,
}

impl OwnWakes {
    pub(super) fn new() -> Self {
        let wakes = Arc::new(Wakes::default());
        OwnWakes {
            waker: Waker::from(Arc::clone(&wakes)),
            wakes,
        }
    }

    /// Polls a future, and polls it again if it was woken meanwhile. Once it is ready, a wake does
    /// not reach the task until the next call returns `Pending`.
    pub(super) fn poll<T>(
        &self,
        cx: &Context<'_>,
        mut future: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Wakes(state) = &*self.wakes;
        for _ in 0..POLLS {
            let before = {
                let mut state = state.lock();
                state.polling = true;
                state.woken = false;
                state.task.take()
            };
            // It is dropped without the lock, since it may be user code.
            drop(before);
            let polled = future(&mut Context::from_waker(&self.waker));
            let mut state = state.lock();
            state.polling = false;
            if polled.is_ready() {
                return polled;
            }
            if !state.woken {
                state.task = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut state = self.0.lock();
            state.woken = true;
            // While the future is being polled, there is none.
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn task() -> (Arc<Task>, Waker) {
        let task = Arc::new(Task::default());
        (Arc::clone(&task), Waker::from(task))
    }

    impl Task {
        fn wakes(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again_without_its_task() {
        let ((task, waker), own) = (task(), OwnWakes::new());
        for wakes in 0..POLLS {
            let mut polls = 0;
            let polled = own.poll(&Context::from_waker(&waker), |cx| {
                polls += 1;
                if polls <= wakes {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(polls)
            });
            assert_eq!(polled, Poll::Ready(wakes + 1));
        }
        assert_eq!(task.wakes(), 0);
    }

    #[test]
    fn a_future_that_always_wakes_itself_yields() {
        let ((task, waker), own) = (task(), OwnWakes::new());
        let mut polls = 0;
        let polled = own.poll(&Context::from_waker(&waker), |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert_eq!((polled, polls, task.wakes()), (Poll::Pending, POLLS, 1));
    }

    #[test]
    fn a_wake_between_polls_reaches_the_task_once() {
        let ((task, waker), own) = (task(), OwnWakes::new());
        let mut kept = None;
        let mut poll = |waker: &Waker| {
            own.poll(&Context::from_waker(waker), |cx| {
                kept = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
        };
        assert!(poll(&waker).is_pending());
        // The last task that has polled is woken, and no earlier one.
        let (last, waker) = self::task();
        assert!(poll(&waker).is_pending());
        let kept = kept.unwrap();
        thread::spawn({
            let kept = kept.clone();
            move || kept.wake()
        })
        .join()
        .unwrap();
        kept.wake();
        assert_eq!((task.wakes(), last.wakes()), (0, 1));
    }

    #[test]
    fn a_future_that_was_ready_keeps_no_task() {
        let ((task, waker), own) = (task(), OwnWakes::new());
        let mut kept = None;
        for ready in [false, true] {
            let polled = own.poll(&Context::from_waker(&waker), |cx| {
                kept = Some(cx.waker().clone());
                if ready {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            assert_eq!(polled.is_ready(), ready);
        }
        assert_eq!(Arc::strong_count(&task), 2);
        kept.unwrap().wake();
        assert_eq!(task.wakes(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_of_another_thread_is_lost() {
        for _ in 0..1000 {
            let own = OwnWakes::new();
            let (sender, mut receiver) = tokio::sync::oneshot::channel();
            let sent = tokio::spawn(async move { sender.send(7) });
            let received =
                poll_fn(|cx| own.poll(cx, |cx| std::pin::Pin::new(&mut receiver).poll(cx)));
            assert_eq!(received.await, Ok(7));
            sent.await.unwrap().unwrap();
        }
    }
}
