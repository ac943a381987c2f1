use super::*;

#[test]
fn can_be_awaited_by_another_task_and_aborted_from_any_thread() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            let (started, waits) = oneshot::channel();
            let hangs = context.spawn(async move {
                started.send(()).unwrap();
                std::future::pending::<()>().await;
            });
            context.spawn(async move {
                waits.await.unwrap();
                let hangs = thread::spawn(move || {
                    hangs.abort();
                    hangs
                });
                let mut hangs = hangs.join().unwrap();
                (&mut hangs).await;
                assert!(hangs.is_finished());
                callback.succeed(json!("aborted"));
            });
        };
        assert_eq!(invoke(handler).await.result.unwrap(), "aborted");
    });
}

#[test]
fn that_aborts_itself_runs_to_its_next_await_and_no_further() {
    on_every_flavor(async || {
        let seen = Seen::default();
        let noted = seen.clone();
        let handler = move |_: Value, context: Context, callback: Callback| {
            let seen = noted.clone();
            let (this, itself) = oneshot::channel::<nodeback::Task>();
            let task = context.spawn(async move {
                let this = itself.await.unwrap();
                this.abort();
                seen.note("to the next await");
                std::future::pending::<()>().await;
            });
            this.send(task).unwrap();
            callback.succeed(json!("yes"));
        };
        assert_eq!(invoke(handler).await.result.unwrap(), "yes");
        assert_eq!(seen.take(), ["to the next await"]);
    });
}

#[test]
fn that_has_ended_is_not_mistaken_for_a_later_one() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.clone().spawn(async move {
                let mut first = context.spawn(async {});
                (&mut first).await;
                let second = context.spawn(async move {
                    time::sleep(TICK).await;
                    callback.succeed(json!("it ran"));
                });
                first.abort();
                assert!(first.is_finished() && !second.is_finished());
            });
        };
        assert_eq!(invoke(handler).await.result.unwrap(), "it ran");
    });
}
