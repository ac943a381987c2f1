use super::*;

#[test]
fn in_one_task_the_first_of_them_wins() {
    on_every_flavor(async || {
        let handler = |event: Value, context: Context, callback: Callback| {
            context.spawn(async move {
                match event.as_str() {
                    Some("error") => callback.fail("first"),
                    Some("context") => Context::current().unwrap().succeed("first"),
                    _ => callback.succeed(json!("deferred")),
                }
                Err::<(), _>("second")
            });
        };
        let invoke = async |event| {
            let outcome = nodeback::invoke(handler, event, Context::default()).await;
            outcome.result.map_err(|error| error.message().to_owned())
        };
        assert_eq!(invoke("error").await, Err("first".into()));
        assert_eq!(invoke("context").await, Ok(json!("first")));
        // An error replaces a deferred success, as in Node.
        assert_eq!(invoke("deferred").await, Err("second".into()));
    });
}

#[test]
fn in_two_tasks_the_one_of_the_first_task_wins() {
    on_every_flavor(async || {
        let handler = |_: Value, context: Context, callback: Callback| {
            context.spawn(async { Err::<(), _>("first") });
            context.spawn(async move { callback.fail("second") });
        };
        assert_eq!(failure(invoke(handler).await), "string: first");
    });
}
