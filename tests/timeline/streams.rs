//! The stream of a response in a timeline.

use super::{ms, picked, timeline};
use nodeback::{
    Context, ResponseStream, Value, error, streamify_response,
    timeline::{Timeline, TimelineEvent},
};
use tokio::time::sleep;

/// The entries about the stream and the response, and when they happened.
fn of_stream(timeline: &Timeline) -> Vec<(u64, String)> {
    let picked = picked(timeline, |event| {
        Some(match event {
            TimelineEvent::StreamOpened {
                high_water_mark, ..
            } => format!("opened {high_water_mark}"),
            TimelineEvent::ChunkWritten { bytes, .. } => format!("wrote {bytes}"),
            TimelineEvent::FirstChunkTaken => "first".into(),
            TimelineEvent::StreamEnded {
                call_site,
                chunks,
                bytes,
                ..
            } => {
                let by = if call_site.is_some() {
                    "call"
                } else {
                    "invocation"
                };
                format!("ended by {by}: {chunks}, {bytes}")
            }
            TimelineEvent::Responded { bytes, error, .. } => format!("{bytes:?} {error:?}"),
            TimelineEvent::ResponseSent => "sent".into(),
            _ => return None,
        })
    });
    let in_millis = |at: std::time::Duration| u64::try_from(at.as_millis()).unwrap();
    picked
        .into_iter()
        .map(|(at, what)| (in_millis(at), what))
        .collect()
}

fn expected(entries: &[(u64, &str)]) -> Vec<(u64, String)> {
    let owned = |(at, what): &(u64, &str)| (*at, (*what).to_owned());
    entries.iter().map(owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_its_chunks_and_its_end() {
    let handler = async |_: Value, stream: ResponseStream| {
        sleep(ms(10)).await;
        stream.write("12345").await?;
        sleep(ms(10)).await;
        stream.end_with("678").await
    };
    let timeline = timeline(streamify_response(handler).high_water_mark(100)).await;
    let entries = [
        (0, "opened 100"),
        (10, "wrote 5"),
        (10, "first"),
        (20, "wrote 3"),
        (20, "ended by call: 2, 8"),
        (20, "Some(8) None"),
        (20, "sent"),
    ];
    assert_eq!(of_stream(&timeline), expected(&entries), "{timeline}");
    let by: Vec<_> = timeline
        .entries
        .iter()
        .filter(|entry| matches!(entry.event, TimelineEvent::ChunkWritten { .. }))
        .map(|entry| entry.by)
        .collect();
    assert_eq!(by, [Some(0), Some(0)]);
    let text = timeline.to_string();
    assert!(
        text.contains("stream ended at ") && text.contains(": 2 chunks, 8 bytes"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_a_task_fails_ends_with_its_invocation() {
    let handler = async |_: Value, stream: ResponseStream, context: Context| {
        context.spawn(async {
            sleep(ms(20)).await;
            Err::<(), _>(error!("the disk is gone"))
        });
        stream.write("123").await?;
        std::future::pending::<nodeback::Result<()>>().await
    };
    let timeline = timeline(streamify_response(handler)).await;
    let entries = [
        (0, "opened 262144"),
        (0, "wrote 3"),
        (0, "first"),
        (20, r#"None Some("Error: the disk is gone")"#),
        (20, "ended by invocation: 1, 3"),
        (20, "sent"),
    ];
    assert_eq!(of_stream(&timeline), expected(&entries), "{timeline}");
}

/// The panic takes precedence over the signal of the same poll, so the stream was not ended by the
/// signal.
#[tokio::test(start_paused = true)]
async fn a_stream_whose_handler_panics_after_a_signal_ends_with_its_invocation() {
    let handler = async |event: Value, _: ResponseStream, context: Context| {
        context.fail(error!("overtaken"));
        assert!(event.is_number(), "expected a number");
        Ok::<_, nodeback::Error>(())
    };
    let timeline = timeline(streamify_response(handler)).await;
    let of_stream = of_stream(&timeline);
    let (_, ended) = of_stream
        .iter()
        .find(|(_, it)| it.starts_with("ended by"))
        .unwrap();
    assert_eq!(ended, "ended by invocation: 0, 0", "{timeline}");
    assert!(
        timeline.to_string().contains("expected a number"),
        "{timeline}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_that_waits_for_room_is_recorded_when_it_has_it() {
    let handler = async |_: Value, stream: ResponseStream| {
        for _ in 0..100 {
            stream.write("1234567890").await?;
        }
        stream.end().await
    };
    let timeline = timeline(streamify_response(handler).high_water_mark(10)).await;
    let written = picked(&timeline, |event| {
        matches!(event, TimelineEvent::ChunkWritten { .. }).then_some(())
    });
    assert_eq!((written.len(), timeline.omitted_chunks), (16, 84));
    let first = |is_it: fn(&TimelineEvent) -> bool| {
        let mut entries = timeline.entries.iter();
        entries.position(|entry| is_it(&entry.event)).unwrap()
    };
    let written = first(|event| matches!(event, TimelineEvent::ChunkWritten { .. }));
    let taken = first(|event| matches!(event, TimelineEvent::FirstChunkTaken));
    // The second chunk waits until the first one was taken.
    assert_eq!(taken, written + 1, "{timeline}");
    let text = timeline.to_string();
    assert!(text.contains(": 100 chunks, 1000 bytes"), "{text}");
    assert!(
        text.contains("84 further chunks of the stream are not shown"),
        "{text}"
    );
}
