//! Keeps from a task the wakes that a future causes while it is polled.
//!
//! The two halves of a connection of hyper wake each other, so a task that polls both of them wakes
//! itself. tokio considers such a task to yield: on a runtime with several threads, it wakes another
//! thread to continue the task. With a Runtime API on the same machine that replies at once, that
//! took three quarters of the processor time of an invocation of 100 bytes. Here, the future is
//! polled again at once instead.

use parking_lot::Mutex;
use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

/// How many times a future is polled for one poll of its task, at most. A future that wakes itself
/// each time then yields to other tasks.
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
    /// Whether the future was woken since its last poll began.
    woken: bool,
    /// The task to wake. `None` while the future is being polled, after it was ready, and after the
    /// task was woken.
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
                state.woken = false;
                state.task.take()
            };
            // It is dropped without the lock, since it may be user code.
            drop(before);
            let polled = future(&mut Context::from_waker(&self.waker));
            if polled.is_ready() {
                return polled;
            }
            let task = cx.waker().clone();
            let mut state = state.lock();
            // Both under one lock, so that each wake either was seen here or finds the task.
            if !state.woken {
                state.task = Some(task);
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
    use futures::{executor::block_on, task::AtomicWaker};
    use std::{
        future::poll_fn,
        hint,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        thread,
        time::Duration,
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

    /// A thread wakes a future, at any point of its poll, each time that it was ready.
    #[test]
    fn no_wake_of_another_thread_is_lost() {
        const ROUNDS: usize = 20_000;
        let (rounds, polled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let waker = Arc::new(AtomicWaker::new());
        let woken = {
            let (rounds, polled, waker) =
                (Arc::clone(&rounds), Arc::clone(&polled), Arc::clone(&waker));
            thread::spawn(move || {
                for round in 1..=ROUNDS {
                    rounds.store(round, Ordering::SeqCst);
                    waker.wake();
                    while polled.load(Ordering::SeqCst) < round {
                        hint::spin_loop();
                    }
                }
            })
        };
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            let own = OwnWakes::new();
            for round in 1..=ROUNDS {
                let future = poll_fn(|cx| {
                    own.poll(cx, |cx| {
                        waker.register(cx.waker());
                        if rounds.load(Ordering::SeqCst) < round {
                            Poll::Pending
                        } else {
                            Poll::Ready(())
                        }
                    })
                });
                block_on(future);
                polled.store(round, Ordering::SeqCst);
            }
            done.send(()).unwrap();
        });
        ended
            .recv_timeout(Duration::from_secs(60))
            .expect("a wake was lost");
        woken.join().unwrap();
    }
}
