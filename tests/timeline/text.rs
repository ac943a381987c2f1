//! The text of a timeline.

use super::{context, ms, timeline};
use nodeback::{Callback, Context, Value, json, set_timeout};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::sleep;

/// The text without the lines and columns of call sites.
fn text(timeline: &impl ToString) -> String {
    let text = timeline.to_string();
    let mut lines = String::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("text.rs:") {
            lines.push_str(before);
            lines.push_str("text.rs");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
        }
        lines.push_str(rest);
        lines.push('\n');
    }
    lines.replace('\\', "/").replace("tests/timeline/", "")
}

#[tokio::test(start_paused = true)]
async fn a_fan_in_is_drawn_to_scale() {
    let handler = |_: Value, context: Context, callback: Callback| {
        let left = Arc::new(Mutex::new((3, Some(callback))));
        for n in 1..=3 {
            let left = Arc::clone(&left);
            context.spawn(async move {
                sleep(ms(n * 10)).await;
                let mut left = left.lock();
                left.0 -= 1;
                if left.0 == 0 {
                    left.1.take().unwrap().succeed(json!([1, 2, 3]));
                }
            });
        }
    };
    let expected = "\
Timeline of orders: 30.000 ms
request request-1

            0                                               30.000 ms
  handler   |
  task 1    ==================|
  task 2    =====================================|
  task 3    ========================================================C|
  response                                                          A N

  C first signal   | completed   A response   N next poll

      0.000 ms           event read: 2 bytes
      0.000 ms           handler entered
";
    let found = text(&timeline(handler).await);
    assert!(found.starts_with(expected), "{found}");
    assert!(
        found.contains("\n     30.000 ms  task 3   success signalled at text.rs\n"),
        "{found}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hostile_text_is_one_line_and_controls_no_terminal() {
    let hostile = "\u{1b}[2J\r\nnext \u{202e}line</script>";
    let handler = move |_: Value, context: Context, callback: Callback| {
        tracing::warn!("{hostile}");
        context.wait_until(async move { Err::<(), _>(hostile) });
        set_timeout(ms(1), move || callback.fail(hostile));
    };
    let context = context()
        .function_name(hostile)
        .aws_request_id(hostile)
        .build();
    let outcome = nodeback::invoke(handler, json!({}), context).await;
    let text = outcome.timeline.unwrap().to_string();
    assert!(text.matches("[2J").count() >= 4, "{text}");
    assert!(
        text.chars()
            .all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'),
        "{text}"
    );
    assert!(!text.contains("\nnext"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_page_on_testing_shows_what_is_printed() {
    let handler = |_: Value, context: Context, callback: Callback| {
        set_timeout(ms(30), move || callback.succeed(json!("done")));
        context.spawn(sleep(ms(50)));
    };
    let page = include_str!("../../src/docs/testing.md");
    let shown = page
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let shown = text(&shown.replace("src/main.rs:", "text.rs:"));
    let printed = text(&timeline(handler).await);
    let (_, printed) = printed.split_once("\n\n").unwrap();
    assert_eq!(printed, shown);
}
