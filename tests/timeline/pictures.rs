//! Compares the pictures of `src/docs/semantics.md` and `src/docs/streaming.md` with timelines.

use super::{context, ms};
use nodeback::{
    Callback, Context, NeverCalled, Outcome, ResponseStream, Runtime, Value, error, json,
    streamify_response,
    timeline::{TaskEnd, Timeline, TimelineEvent},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;

/// The pages, whose blocks of text are pictures. The cases of `run` have the same order.
const PAGES: &str = concat!(
    include_str!("../../src/docs/semantics.md"),
    include_str!("../../src/docs/streaming.md")
);

/// The column at which the drawings begin, and the width of the names of their lanes.
const DRAWING: usize = 48;
const NAME: usize = 8;

/// Marks by their column, or by their time.
type Marks<T> = BTreeMap<T, Vec<char>>;

/// Returns the text of each picture, and its marks.
fn pictures() -> Vec<(String, Marks<usize>)> {
    let blocks = PAGES.split("```text\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks
        .flat_map(|block| block.split("\n\n"))
        .map(|picture| {
            let (mut text, mut marks) = (String::new(), Marks::new());
            for line in picture.lines() {
                let (beside, drawing) = line.split_at_checked(DRAWING).unwrap_or((line, ""));
                text = format!("{text} {}", beside.trim());
                // Text in parentheses explains the drawing.
                let drawing = drawing.split('(').next().unwrap().replace("! error", "!");
                for (column, mark) in drawing.chars().enumerate().skip(NAME) {
                    if !" -=.".contains(mark) {
                        marks.entry(column).or_default().push(mark);
                    }
                }
            }
            (text.trim().to_owned(), marks)
        })
        .collect()
}

/// Returns the marks that a timeline would have in such a picture.
fn marks_of(timeline: &Timeline) -> Vec<(Duration, char)> {
    let mut marks: Vec<(Duration, char, Option<u64>)> = vec![];
    let is_opened = |event: &TimelineEvent| matches!(event, TimelineEvent::StreamOpened { .. });
    let streams = timeline.entries.iter().any(|entry| is_opened(&entry.event));
    for entry in &timeline.entries {
        let end = |end: &TaskEnd| match end {
            TaskEnd::Completed => '|',
            TaskEnd::Aborted { .. } => 'x',
            TaskEnd::StillRunning => panic!("a task has not ended"),
            _ => '!',
        };
        let (mark, lane) = match &entry.event {
            // A picture of a stream has its chunks and its first and last byte instead of the
            // response.
            TimelineEvent::ChunkWritten { .. } => ('W', entry.by),
            TimelineEvent::FirstChunkTaken => ('F', None),
            TimelineEvent::Signalled {
                succeeds: false, ..
            } if streams => ('!', entry.by),
            TimelineEvent::Signalled { .. } if streams => ('E', entry.by),
            TimelineEvent::ResponseSent if streams => ('L', None),
            TimelineEvent::Responded { .. } | TimelineEvent::DeadlineNear { .. } if streams => {
                continue;
            }
            TimelineEvent::Signalled { .. } => ('C', entry.by),
            TimelineEvent::NeverCalled { .. } => ('L', entry.by),
            TimelineEvent::HandlerLeft { end: how, .. } => (end(how), Some(0)),
            TimelineEvent::TaskEnded { task, end: how, .. } => (end(how), Some(*task)),
            TimelineEvent::DeadlineNear { .. } => ('w', None),
            TimelineEvent::Responded { .. } => ('A', None),
            TimelineEvent::NextPoll { .. } => ('N', None),
            _ => continue,
        };
        // The end of a task is not drawn where the task signals or drops the callback at the same
        // time.
        let is_drawn = |(at, earlier, of): &(Duration, char, Option<u64>)| {
            *at == entry.at && *of == lane && "CLE!".contains(*earlier)
        };
        if !(mark == '|' && marks.iter().any(is_drawn)) {
            marks.push((entry.at, mark, lane));
        }
    }
    marks.into_iter().map(|(at, mark, _)| (at, mark)).collect()
}

/// Asserts that a timeline has the marks of a picture, in the order of the picture.
fn agree(text: &str, picture: &Marks<usize>, timeline: &Timeline) {
    let happened = marks_of(timeline);
    let deadline = timeline.deadline.unwrap();
    // The timeline ends with the next poll, and the picture may not.
    let next = picture.iter().find(|(_, marks)| marks.contains(&'N'));
    let next = *next.unwrap().0;
    let mut times: Vec<(usize, Duration)> = vec![];
    let mut rest = happened.as_slice();
    for (column, marks) in picture {
        let mut marks = marks.clone();
        // The deadline is not an entry.
        if marks.contains(&'D') {
            times.push((*column, deadline));
        }
        marks.retain(|mark| *mark != 'D' && *column <= next);
        let (now, later) = rest.split_at_checked(marks.len()).unwrap_or((rest, &[]));
        rest = later;
        let mut found: Vec<_> = now.iter().map(|(_, mark)| *mark).collect();
        found.sort_unstable();
        marks.sort_unstable();
        assert_eq!(found, marks, "{text}: {happened:?}\n{timeline}");
        times.extend(now.iter().map(|(at, _)| (*column, *at)));
    }
    assert_eq!(rest, [], "{text}: {happened:?}\n{timeline}");
    for pair in times.windows(2) {
        let [(left, before), (right, after)] = pair else {
            unreachable!()
        };
        match right - left {
            0 => assert_eq!(before, after, "{text}\n{timeline}"),
            // Marks of the same time in one lane are drawn side by side.
            1..=2 => assert!(before <= after, "{text}\n{timeline}"),
            _ => assert!(before < after, "{text}\n{timeline}"),
        }
    }
}

async fn write_twice(stream: &ResponseStream) -> nodeback::Result<()> {
    for chunk in ["first", "second"] {
        sleep(ms(50)).await;
        stream.write(chunk).await?;
    }
    sleep(ms(50)).await;
    Ok(())
}

/// Runs each of the cases that a picture describes.
async fn run(picture: usize) -> Vec<Timeline> {
    let run =
        async |runtime: Runtime| -> Outcome { runtime.invoke(json!({}), context().build()).await };
    let task = |context: &Context| context.spawn(sleep(ms(100)));
    let forever = |context: &Context| context.spawn(std::future::pending::<()>());
    let outcomes = match picture {
        0 => {
            let handler = move |_: Value, context: Context, callback: Callback| {
                task(&context);
                callback(None, Some(json!(1)));
            };
            vec![run(Runtime::new(handler)).await]
        }
        1 => {
            let handler = move |_: Value, context: Context, callback: Callback| {
                context.set_callback_waits_for_empty_event_loop(false);
                task(&context);
                callback(None, Some(json!(1)));
            };
            vec![run(Runtime::new(handler)).await]
        }
        2 => {
            let fails = move |_: Value, context: Context, callback: Callback| {
                task(&context);
                callback(Some(error!("it failed")), None);
            };
            let succeeds = move |_: Value, context: Context| {
                task(&context);
                context.succeed(1);
            };
            let context_fails = move |_: Value, context: Context| {
                task(&context);
                context.fail("it failed");
            };
            let is_done = move |_: Value, context: Context| {
                task(&context);
                context.done(None, Some(json!(1)));
            };
            let returns = async |_: Value, context: Context| {
                context.spawn(sleep(ms(100)));
                Ok::<_, nodeback::Error>(1)
            };
            vec![
                run(Runtime::new(fails)).await,
                run(Runtime::new(succeeds)).await,
                run(Runtime::new(context_fails)).await,
                run(Runtime::new(is_done)).await,
                run(Runtime::new(returns)).await,
            ]
        }
        3 => {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.wait_until(sleep(ms(100)));
                callback(None, Some(json!(1)));
            };
            vec![run(Runtime::new(handler)).await]
        }
        4 => {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.spawn(async {
                    sleep(ms(100)).await;
                    Err::<(), _>(error!("the write failed"))
                });
                callback(None, Some(json!(1)));
            };
            vec![run(Runtime::new(handler)).await]
        }
        5 => {
            let forgets = |_: Value, _: Context, _: Callback| {};
            let null = Runtime::new(forgets).never_called(NeverCalled::Null);
            vec![run(Runtime::new(forgets)).await, run(null).await]
        }
        6 => {
            let handler = move |_: Value, context: Context, _: Callback| {
                task(&context);
            };
            vec![run(Runtime::new(handler)).await]
        }
        7 => {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.spawn(async move {
                    let _kept = callback;
                    sleep(ms(100)).await;
                });
            };
            vec![run(Runtime::new(handler)).await]
        }
        8 | 9 => {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.spawn(async move {
                    let _kept = callback;
                    std::future::pending::<()>().await;
                });
            };
            let runtime = Runtime::new(handler);
            let runtime = match picture {
                8 => runtime,
                _ => runtime.fail_before_deadline(ms(200)),
            };
            vec![run(runtime).await]
        }
        10 => {
            let handler = move |_: Value, context: Context, callback: Callback| {
                forever(&context);
                callback(None, Some(json!(1)));
            };
            vec![run(Runtime::new(handler)).await]
        }
        11 => {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.wait_until(std::future::pending::<()>());
                callback(None, Some(json!(1)));
            };
            vec![run(Runtime::new(handler)).await]
        }
        #[cfg(feature = "lambda")]
        12 => {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.spawn(async move {
                    let _kept = callback;
                    std::future::pending::<()>().await;
                });
            };
            let layer = tower::timeout::TimeoutLayer::new(ms(100));
            vec![run(Runtime::new(handler).layer(layer)).await]
        }
        #[cfg(feature = "lambda")]
        13 => {
            let handler = |_: Value, context: Context, callback: Callback| {
                context.wait_until(sleep(ms(200)));
                callback(None, Some(json!(1)));
            };
            let layer = tower::timeout::TimeoutLayer::new(ms(100));
            vec![run(Runtime::new(handler).layer(layer)).await]
        }
        #[cfg(not(feature = "lambda"))]
        12 | 13 => vec![],
        14 => {
            let handler = async |_: Value, stream: ResponseStream, context: Context| {
                context.spawn(sleep(ms(300)));
                write_twice(&stream).await?;
                stream.end().await
            };
            vec![run(Runtime::new(streamify_response(handler))).await]
        }
        15 => {
            let handler = async |_: Value, stream: ResponseStream| {
                write_twice(&stream).await?;
                Err(error!("the disk is gone"))
            };
            vec![run(Runtime::new(streamify_response(handler))).await]
        }
        // In process, a stream has no slow client.
        16 => vec![],
        17 => {
            let handler = async |_: Value, stream: ResponseStream| {
                write_twice(&stream).await?;
                std::future::pending::<nodeback::Result<()>>().await
            };
            vec![run(Runtime::new(streamify_response(handler))).await]
        }
        _ => panic!("there is no case for this picture"),
    };
    let timelines = outcomes.into_iter().map(|outcome| outcome.timeline);
    timelines.map(|timeline| *timeline.unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_picture_is_what_happens() {
    let pictures = pictures();
    assert_eq!(pictures.len(), 18, "{pictures:?}");
    for (n, (text, picture)) in pictures.iter().enumerate() {
        for timeline in run(n).await {
            agree(text, picture, &timeline);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeline_agrees_with_its_own_picture_only() {
    let pictures = pictures();
    let timeline = &run(0).await[0];
    let agrees =
        |picture: &Marks<usize>| std::panic::catch_unwind(|| agree("", picture, timeline)).is_ok();
    let agreeing: Vec<_> = pictures
        .iter()
        .map(|(_, picture)| agrees(picture))
        .collect();
    // The picture of `wait_until` has the same marks at other times.
    let expected: Vec<_> = (0..pictures.len()).map(|n| n == 0).collect();
    assert_eq!(agreeing, expected);
}
