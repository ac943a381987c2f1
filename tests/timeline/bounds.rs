//! A timeline stays small whatever happens in the invocation, and contains its end.

use super::{picked, timeline};
use nodeback::{Callback, Context, Value, json, timeline::TimelineEvent};

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_everything_too_often_has_a_small_timeline() {
    let handler = |_: Value, context: Context, callback: Callback| {
        for n in 0..100_000 {
            context.spawn(async move {
                if n % 100 == 0 {
                    tracing::info!("{}", "x".repeat(10_000));
                }
            });
        }
        for _ in 0..1_000 {
            callback(None, Some(json!(1)));
        }
    };
    let timeline = timeline(handler).await;
    assert_eq!(
        (timeline.tasks.len(), timeline.omitted_tasks),
        (501, 99_500)
    );
    assert_eq!(timeline.omitted_signals, 999 - 16);
    let logged = cfg!(any(feature = "lambda", feature = "local"));
    let lines = picked(&timeline, |event| match event {
        TimelineEvent::Logged { message, .. } => Some(message.len()),
        _ => None,
    });
    if logged {
        assert_eq!((lines.len(), timeline.omitted_lines), (500, 500));
        assert!(lines.iter().all(|(_, length)| *length < 1_100));
    }
    assert!(timeline.entries.len() < 2_000);
    assert!(serde_json::to_vec(&timeline).unwrap().len() < 2_000_000);
    let last = &timeline.entries.last().unwrap().event;
    assert!(
        matches!(last, TimelineEvent::NextPoll { running: 0, .. }),
        "{last:?}"
    );
    let text = timeline.to_string();
    assert!(
        text.contains("99500 further tasks are not shown"),
        "{}",
        &text[text.len() - 300..]
    );
    assert!(text.lines().count() < 2_200);
}
