use super::*;

#[test]
fn ready_tasks_run_first_in_first_out() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            let done = fan_in(100, callback);
            for job in 0..100 {
                let done = done.clone();
                context.spawn(async move { done(job) });
            }
        };
        for _ in 0..20 {
            let expected: Vec<usize> = (0..100).collect();
            assert_eq!(invoke(handler).await.result.unwrap(), json!(expected));
        }
    });
}

#[test]
fn timers_of_the_same_time_fire_in_the_order_in_which_they_were_set() {
    on_every_flavor(async || {
        let sleeping = |_: Value, context: Context, callback: Callback| {
            let done = fan_in(8, callback);
            for job in 0..8 {
                let done = done.clone();
                context.spawn(async move {
                    time::sleep(TICK).await;
                    done(job);
                });
            }
        };
        let timeouts = |_: Value, _: Context, callback: Callback| {
            let done = fan_in(8, callback);
            for job in 0..8 {
                let done = done.clone();
                set_timeout(TICK, move || done(job));
            }
        };
        for _ in 0..40 {
            let expected = json!([0, 1, 2, 3, 4, 5, 6, 7]);
            assert_eq!(invoke(sleeping).await.result.unwrap(), expected);
            assert_eq!(invoke(timeouts).await.result.unwrap(), expected);
        }
    });
}

#[test]
fn timers_fire_in_the_order_of_their_times() {
    on_every_flavor(async || {
        let handler = |_: Value, _: Context, callback: Callback| {
            let done = fan_in(4, callback);
            for (job, ticks) in [(0, 4), (1, 2), (2, 3), (3, 0)] {
                let done = done.clone();
                set_timeout(3 * ticks * TICK, move || done(job));
            }
        };
        assert_eq!(invoke(handler).await.result.unwrap(), json!([3, 1, 2, 0]));
    });
}

#[test]
fn a_woken_task_runs_after_the_tasks_that_are_already_ready() {
    on_every_flavor(async || {
        let seen = Seen::default();
        let noted = seen.clone();
        let handler = move |_: Value, context: Context, callback: Callback| {
            let seen = noted.clone();
            let (go, gone) = oneshot::channel();
            let note = |name: &'static str| {
                let seen = seen.clone();
                async move { seen.note(name) }
            };
            let waits = seen.clone();
            context.spawn(async move {
                gone.await.unwrap();
                waits.note("woken");
                callback.succeed(json!(null));
            });
            let wakes = seen.clone();
            context.spawn(async move {
                go.send(()).unwrap();
                wakes.note("wakes");
            });
            context.spawn(note("third"));
            context.spawn(note("fourth"));
        };
        assert!(invoke(handler).await.result.is_ok());
        assert_eq!(seen.take(), ["wakes", "third", "fourth", "woken"]);
    });
}

#[test]
fn the_handler_takes_its_turn_like_a_task() {
    on_every_flavor(async || {
        let seen = Seen::default();
        let noted = seen.clone();
        let handler = move |_: Value, context: Context, callback: Callback| {
            let seen = noted.clone();
            async move {
                seen.note("handler");
                let (one, two) = (seen.clone(), seen.clone());
                let first = context.spawn(async move { one.note("first") });
                context.spawn(async move { two.note("second") });
                first.await;
                seen.note("handler again");
                callback.succeed(json!(null));
            }
        };
        assert!(invoke(handler).await.result.is_ok());
        assert_eq!(seen.take(), ["handler", "first", "second", "handler again"]);
    });
}

/// An immediate runs after every task that is ready, and before any immediate that an immediate
/// sets.
#[test]
fn immediates_run_when_nothing_else_is_ready() {
    on_every_flavor(async || {
        let seen = Seen::default();
        let noted = seen.clone();
        let handler = move |_: Value, _: Context, callback: Callback| {
            let seen = noted.clone();
            let note = move |name: &'static str| {
                let seen = seen.clone();
                move || seen.note(name)
            };
            let (again, task) = (note.clone(), note.clone());
            set_immediate(move || {
                again("first immediate")();
                set_immediate(again("immediate of an immediate"));
                nodeback::spawn({
                    let note = again("task of an immediate");
                    async move { note() }
                });
            });
            set_immediate(note("second immediate"));
            nodeback::spawn(async move { task("task")() });
            set_immediate(note("third immediate")).abort();
            callback.succeed(json!(null));
        };
        assert!(invoke(handler).await.result.is_ok());
        assert_eq!(
            seen.take(),
            [
                "task",
                "first immediate",
                "task of an immediate",
                "second immediate",
                "immediate of an immediate",
            ]
        );
    });
}

/// Like the phases of Node's event loop: first ready tasks, then timers that are due, then
/// immediates.
#[test]
fn a_timer_that_is_due_fires_before_immediates_and_after_tasks() {
    on_every_flavor(async || {
        let seen = Seen::default();
        let noted = seen.clone();
        let handler = move |_: Value, _: Context, callback: Callback| {
            let seen = noted.clone();
            let note = move |name: &'static str| {
                let seen = seen.clone();
                move || seen.note(name)
            };
            let (timer, task) = (note("first timer"), note("task of a timer"));
            set_immediate(note("immediate"));
            set_timeout(Duration::ZERO, move || {
                timer();
                nodeback::spawn(async move { task() });
            });
            set_timeout(Duration::ZERO, note("second timer"));
            let task = note("task");
            nodeback::spawn(async move { task() });
            // Both timers are due when the handler returns.
            thread::sleep(TICK);
            callback.succeed(json!(null));
        };
        assert!(invoke(handler).await.result.is_ok());
        assert_eq!(
            seen.take(),
            [
                "task",
                "first timer",
                "task of a timer",
                "second timer",
                "immediate"
            ]
        );
    });
}

#[test]
fn a_timer_that_is_due_fires_before_an_immediate_that_an_immediate_set() {
    on_every_flavor(async || {
        let seen = Seen::default();
        let noted = seen.clone();
        let handler = move |_: Value, _: Context, callback: Callback| {
            let (timer, first, second) = (noted.clone(), noted.clone(), noted.clone());
            set_immediate(move || {
                first.note("immediate");
                set_immediate(move || second.note("immediate of an immediate"));
                thread::sleep(3 * TICK);
            });
            set_timeout(2 * TICK, move || timer.note("timer"));
            callback.succeed(json!(null));
        };
        assert!(invoke(handler).await.result.is_ok());
        assert_eq!(
            seen.take(),
            ["immediate", "timer", "immediate of an immediate"]
        );
    });
}

#[test]
fn a_handler_woken_during_its_first_poll_runs_before_the_tasks_that_it_spawns_later() {
    on_every_flavor(async || {
        let seen = Seen::default();
        let noted = seen.clone();
        let handler = move |_: Value, context: Context, callback: Callback| {
            let (seen, task) = (noted.clone(), noted.clone());
            async move {
                let (go, gone) = oneshot::channel();
                let spawns = async {
                    go.send(()).unwrap();
                    context.spawn(async move { task.note("task") });
                };
                let (gone, ()) = futures::join!(gone, spawns);
                gone.unwrap();
                seen.note("handler");
                callback.succeed(json!(null));
            }
        };
        assert!(invoke(handler).await.result.is_ok());
        assert_eq!(seen.take(), ["handler", "task"]);
    });
}

#[test]
fn a_task_that_is_always_ready_does_not_starve_an_immediate() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            let signalled = callback.clone();
            set_immediate(move || callback.succeed(json!("ran")));
            context.spawn(std::future::poll_fn(move |cx| {
                cx.waker().wake_by_ref();
                match signalled.is_signalled() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
        };
        assert_eq!(invoke(handler).await.result.unwrap(), "ran");
    });
}

/// Once tokio's budget is used up, it is not refilled under the `block_on` of another crate.
#[test]
fn the_event_loop_makes_progress_without_any_budget() {
    on_every_flavor(async || {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..1_000 {
            send.send(n).unwrap();
        }
        let mut uses_up_the_budget = pin!(async { while receive.recv().await.is_some() {} });
        assert!(futures::poll!(uses_up_the_budget.as_mut()).is_pending());
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(async { nodeback::spawn(async {}).await });
            context.spawn(async move { callback.succeed(json!("done")) });
        };
        let outcome = futures::executor::block_on(invoke(handler));
        assert_eq!(outcome.result.unwrap(), "done");
    });
}

#[test]
fn an_endless_chain_of_immediates_lets_timers_fire() {
    fn again(callback: Callback) {
        if !callback.is_signalled() {
            set_immediate(move || again(callback));
        }
    }
    on_every_flavor(async || {
        let handler = |_: Value, _: Context, callback: Callback| {
            again(callback.clone());
            set_timeout(TICK, move || callback.succeed(json!("fired")));
        };
        assert_eq!(invoke(handler).await.result.unwrap(), "fired");
    });
}

#[test]
fn a_task_that_is_always_ready_lets_timers_fire() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            let signalled = callback.clone();
            context.spawn(std::future::poll_fn(move |cx| {
                cx.waker().wake_by_ref();
                match signalled.is_signalled() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
            set_timeout(TICK, move || callback.succeed(json!("fired")));
        };
        assert_eq!(invoke(handler).await.result.unwrap(), "fired");
    });
}

/// tokio's channels return `Pending` once the budget of a turn is used up. That must not change the
/// order of tasks.
#[test]
fn a_task_that_uses_up_the_budget_does_not_change_the_order_of_the_others() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            let done = fan_in(20, callback);
            context.spawn(async {
                let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
                for n in 0..300 {
                    send.send(n).unwrap();
                }
                for _ in 0..300 {
                    receive.recv().await.unwrap();
                }
            });
            for job in 0..20 {
                let (done, notify) = (done.clone(), Notify::new());
                context.spawn(async move {
                    // A task that does not use tokio must not overtake one that does.
                    if job % 2 == 0 {
                        notify.notify_one();
                        notify.notified().await;
                    }
                    done(job);
                });
            }
        };
        let expected: Vec<usize> = (0..20).collect();
        assert_eq!(invoke(handler).await.result.unwrap(), json!(expected));
    });
}
