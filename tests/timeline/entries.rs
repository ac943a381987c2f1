//! What is in a timeline.

use super::{context, ms, picked, timeline};
use nodeback::{
    Callback, Context, Error, Value, json, set_immediate, set_timeout,
    timeline::{AbortCause, RespondedBy, TaskEnd, TimelineEvent},
};
use std::{thread, time::Duration};
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn each_event_has_its_place_and_its_time() {
    let handler = |_: Value, context: Context, callback: Callback| {
        let timer = set_timeout(ms(20), move || callback.succeed(json!("ok")));
        context.spawn(async move {
            sleep(ms(10)).await;
            tracing::info!(rows = 3, "read");
        });
        set_timeout(ms(30), || {});
        drop(timer);
    };
    let timeline = timeline(handler).await;
    let events = picked(&timeline, |event| {
        Some(match event {
            TimelineEvent::EventRead { bytes: 2, .. } => "read".into(),
            TimelineEvent::HandlerEntered => "entered".into(),
            TimelineEvent::HandlerLeft {
                end: TaskEnd::Completed,
                ..
            } => "left".into(),
            TimelineEvent::TaskSpawned { task, .. } => format!("spawned {task}"),
            TimelineEvent::TimerFired { task, .. } => format!("fired {task}"),
            TimelineEvent::TaskEnded {
                task,
                end: TaskEnd::Completed,
                ..
            } => format!("ended {task}"),
            TimelineEvent::Signalled { succeeds: true, .. } => "signalled".into(),
            TimelineEvent::Deferred { tasks, .. } => format!("deferred for {tasks}"),
            TimelineEvent::Responded {
                by: RespondedBy::EventLoop,
                bytes: Some(4),
                error: None,
                ..
            } => "responded".into(),
            TimelineEvent::ResponseSent => "sent".into(),
            TimelineEvent::NextPoll { running: 0, .. } => "next".into(),
            TimelineEvent::Logged { level, message, .. } => format!("{level} {message}"),
            other => panic!("{other:?}"),
        })
    });
    let logged = cfg!(any(feature = "lambda", feature = "local"));
    let expected = [
        (0, "read"),
        (0, "entered"),
        (0, "spawned 1"),
        (0, "spawned 2"),
        (0, "spawned 3"),
        (0, "left"),
        (10, "INFO read rows=3"),
        (10, "ended 2"),
        (20, "fired 1"),
        (20, "signalled"),
        (20, "ended 1"),
        (20, "deferred for 1"),
        (30, "fired 3"),
        (30, "ended 3"),
        (30, "responded"),
        (30, "sent"),
        (30, "next"),
    ];
    let expected = expected
        .into_iter()
        .filter(|(_, text)| logged || !text.starts_with("INFO"));
    let expected: Vec<_> = expected
        .map(|(at, text)| (ms(at), text.to_owned()))
        .collect();
    assert_eq!(events, expected, "{timeline}");
    let by: Vec<_> = timeline.entries.iter().map(|entry| entry.by).collect();
    let of = |text| {
        by[expected
            .iter()
            .position(|(_, known)| known == text)
            .unwrap()]
    };
    assert_eq!(
        (of("spawned 3"), of("signalled"), of("responded")),
        (Some(0), Some(1), None)
    );
    let task = &timeline.tasks[2];
    assert_eq!(
        (task.id, task.runs, task.spawned, task.ended),
        (2, 2, ms(0), Some(ms(10)))
    );
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_task_is_distinguished() {
    let handler = |_: Value, context: Context, callback: Callback| {
        context.set_callback_waits_for_empty_event_loop(false);
        context.spawn(std::future::pending::<()>()).abort();
        context.wait_until(async { Err::<(), _>("no connection") });
        context.wait_until(async { panic!("a bug") });
        context.wait_until(std::future::pending::<()>());
        context.spawn(std::future::pending::<()>());
        set_immediate(move || callback.succeed(json!(1)));
    };
    let timeline = timeline(handler).await;
    let ends: Vec<_> = timeline
        .tasks
        .iter()
        .map(|task| format!("{:?}", task.end))
        .collect();
    let failed = "Failed { message: \"string: no connection\" }";
    assert_eq!(
        ends,
        [
            "Completed",
            "Aborted { cause: Handle }",
            failed,
            "Panicked { message: \"a bug\" }",
            "Aborted { cause: Deadline }",
            "StillRunning",
            "Completed",
        ],
        "{timeline}"
    );
    let polls = picked(&timeline, |event| match event {
        TimelineEvent::NextPoll { running, .. } => Some(*running),
        _ => None,
    });
    assert_eq!(polls, [(ms(950), 1)]);
}

#[tokio::test]
async fn a_signal_of_another_thread_comes_before_its_response() {
    for _ in 0..50 {
        let handler = |_: Value, _: Context, callback: Callback| {
            let twice = callback.clone();
            thread::spawn(move || {
                callback.succeed(json!("first"));
                twice.succeed(json!("second"));
            });
        };
        let timeline = timeline(handler).await;
        let order = picked(&timeline, |event| match event {
            TimelineEvent::Signalled { .. } => Some("signal"),
            TimelineEvent::Responded { .. } => Some("response"),
            _ => None,
        });
        let order: Vec<_> = order.into_iter().map(|(_, what)| what).collect();
        assert_eq!(order, ["signal", "response"], "{timeline}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_signal_names_both_call_sites() {
    let handler = |_: Value, _: Context, callback: Callback| {
        callback(None, Some(json!(1)));
        callback(None, Some(json!(2)));
    };
    let outcome = nodeback::invoke(handler, json!({}), context().build()).await;
    let timeline = outcome.timeline.unwrap();
    let known = outcome.duplicate_signals[0];
    let signals = picked(&timeline, |event| match event {
        TimelineEvent::Signalled { call_site, .. } => Some((*call_site, None)),
        TimelineEvent::DuplicateSignal {
            first, duplicate, ..
        } => Some((*first, Some(*duplicate))),
        _ => None,
    });
    let expected = [(known.first, None), (known.first, Some(known.duplicate))];
    assert_eq!(signals, expected.map(|signal| (ms(0), signal)));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_names_what_was_running() {
    let handler = async |_: Value, context: Context, callback: Callback| {
        context.spawn(std::future::pending::<()>());
        std::future::pending::<()>().await;
        drop(callback);
    };
    let timeline = timeline(handler).await;
    let ends = picked(&timeline, |event| match event {
        TimelineEvent::DeadlineNear { running, .. } => Some(format!("near, {running} running")),
        TimelineEvent::HandlerLeft {
            end:
                TaskEnd::Aborted {
                    cause: AbortCause::Deadline,
                    ..
                },
            ..
        } => Some("handler".into()),
        TimelineEvent::TaskEnded {
            task,
            end: TaskEnd::Aborted { .. },
            ..
        } => Some(format!("task {task}")),
        TimelineEvent::Responded {
            error: Some(error), ..
        } => Some(error.split(':').next().unwrap().into()),
        _ => None,
    });
    let mut at_the_deadline: Vec<_> = ends[1..3].to_vec();
    at_the_deadline.sort();
    assert_eq!(ends[0], (ms(950), "near, 2 running".into()));
    assert_eq!(
        at_the_deadline,
        [(ms(1_000), "handler".into()), (ms(1_000), "task 1".into())]
    );
    assert_eq!(ends[3], (ms(1_000), "Sandbox.Timedout".into()));
}

#[tokio::test]
async fn a_blocking_handler_is_the_handler() {
    let handler = |_: Value, _: Context| -> nodeback::Result<u8> {
        thread::sleep(ms(3));
        Err(Error::new("NoOrder", "no order 7"))
    };
    let timeline = timeline(handler).await;
    let [handler] = timeline.tasks.as_slice() else {
        panic!("{timeline}");
    };
    assert_eq!((handler.id, &handler.end), (0, &TaskEnd::Completed));
    // On a busy machine, entering it may be a long run as well.
    let (at, took) = *handler.long_runs.last().unwrap();
    assert!(
        took >= ms(3) && handler.busy >= took && at >= handler.spawned,
        "{handler:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_does_not_parse_enters_no_handler() {
    let handler = |_: u8, _: Context, callback: Callback| callback.succeed(json!(1));
    let timeline = timeline(handler).await;
    let entered = timeline
        .entries
        .iter()
        .any(|entry| entry.event == TimelineEvent::HandlerEntered);
    assert!(!entered && timeline.tasks.is_empty(), "{timeline}");
    let errors = picked(&timeline, |event| match event {
        TimelineEvent::Responded { error, .. } => error.clone(),
        _ => None,
    });
    assert!(
        errors[0].1.starts_with("Runtime.UnmarshalError: "),
        "{errors:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_handler_is_its_end() {
    let handler = |_: Value, _: Context, _: Callback| panic!("a bug");
    let timeline = timeline(handler).await;
    assert!(
        matches!(&timeline.tasks[0].end, TaskEnd::Panicked { message, .. } if message == "a bug")
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_recorded_unless_that_is_asked_for() {
    let handler = |_: Value, _: Context, callback: Callback| callback.succeed(json!(1));
    let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
    assert!(outcome.timeline.is_none());
    let context = context().build();
    sleep(Duration::from_secs(9)).await;
    let outcome = nodeback::invoke(handler, json!({}), context).await;
    // The clock starts with the invocation rather than when the context is built.
    assert_eq!(outcome.timeline.unwrap().entries[0].at, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn it_serializes_with_milliseconds_and_call_sites() {
    let handler = |_: Value, _: Context, callback: Callback| {
        set_timeout(ms(5), move || callback.succeed(json!("ok")));
    };
    let timeline = serde_json::to_value(timeline(handler).await).unwrap();
    assert_eq!(
        (&timeline["requestId"], &timeline["deadlineMs"]),
        (&json!("request-1"), &json!(1000.0))
    );
    let entries = timeline["entries"].as_array().unwrap();
    let signalled = entries
        .iter()
        .find(|entry| entry["event"] == "signalled")
        .unwrap();
    assert_eq!(
        (&signalled["atMs"], &signalled["by"]),
        (&json!(5.0), &json!(1))
    );
    assert!(
        signalled["callSite"]
            .as_str()
            .unwrap()
            .contains("entries.rs:"),
        "{signalled}"
    );
    let timer = &timeline["tasks"][1];
    assert!(
        timer["kind"].as_str().unwrap().starts_with("timer set at "),
        "{timer}"
    );
    assert_eq!(
        (&timer["end"]["type"], &timer["endedMs"]),
        (&json!("completed"), &json!(5.0))
    );
}
