use super::*;

#[test]
fn unfinished_tasks_keep_their_order_and_their_invocation() {
    on_every_flavor(async || {
        let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |_: Value, context: Context, callback: Callback| {
            context.set_callback_waits_for_empty_event_loop(false);
            for job in 0..8 {
                let done = done.clone();
                context.spawn(async move {
                    time::sleep(TICK).await;
                    let id = Context::current().unwrap().aws_request_id.clone();
                    done.send((job, id)).unwrap();
                });
            }
            callback.succeed(json!("sent"));
        };
        for _ in 0..10 {
            let context = Context::builder().aws_request_id("7").build();
            let outcome = nodeback::invoke(handler.clone(), json!({}), context).await;
            assert_eq!(outcome.result.unwrap(), "sent");
            assert_eq!(outcome.unfinished_tasks.len(), 8);
            for job in 0..8 {
                assert_eq!(finished.recv().await, Some((job, "7".into())));
            }
        }
    });
}

#[test]
fn a_context_that_outlives_its_invocation_can_still_spawn() {
    on_every_flavor(async || {
        let (context, kept) = mpsc::channel();
        let handler = move |_: Value, kept: Context, callback: Callback| {
            context.send(kept).unwrap();
            callback.succeed(json!(null));
        };
        assert!(invoke(handler).await.result.is_ok());
        let context = kept.recv().unwrap();
        for _ in 0..3 {
            let (done, finished) = oneshot::channel();
            let mut task = pin!(context.spawn(async move {
                time::sleep(TICK).await;
                done.send(()).unwrap();
            }));
            finished.await.unwrap();
            task.as_mut().await;
            assert!(task.is_finished());
        }
    });
}

#[test]
fn a_context_that_was_made_outside_tokio_can_spawn_inside() {
    let context = Context::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (done, finished) = oneshot::channel();
        context.spawn(async move { done.send(()).unwrap() }).await;
        finished.await.unwrap();
        let (done, finished) = oneshot::channel();
        let blocking = context.spawn_blocking(move || done.send(()).unwrap());
        assert!(!blocking.is_finished());
        finished.await.unwrap();
        blocking.await;
    });
}

/// Destructors that run when the runtime is dropped still see the invocation of their task.
#[test]
fn dropping_the_runtime_ends_the_unfinished_tasks() {
    struct Noted(Seen);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0
                .note(Context::current().map_or("none".into(), |c| c.aws_request_id.clone()));
            nodeback::spawn(async {});
        }
    }
    let seen = Seen::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (tasks, kept) = mpsc::channel();
    let handler = {
        let seen = seen.clone();
        move |_: Value, context: Context, callback: Callback| {
            context.set_callback_waits_for_empty_event_loop(false);
            let noted = Noted(seen.clone());
            let task = context.spawn(async move {
                let _noted = noted;
                std::future::pending::<()>().await;
            });
            tasks.send(task).unwrap();
            callback.succeed(json!(null));
        }
    };
    let context = Context::builder().aws_request_id("7").build();
    assert!(
        runtime
            .block_on(nodeback::invoke(handler, json!({}), context))
            .result
            .is_ok()
    );
    drop(runtime);
    assert_eq!(seen.take(), ["7"]);
    let task = kept.recv().unwrap();
    assert!(task.is_finished());
    futures::executor::block_on(task);
}
