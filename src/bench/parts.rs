//! The parts of an invocation, and the time of each.

use super::{
    Invoker,
    figures::Parts,
    measure::{CHUNK, Until},
    times::Recorder,
};
use crate::phases::{Marks, marked};
use bytes::Bytes;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use tokio::task::yield_now;

/// Returns the median time of each part of an invocation.
pub(super) async fn parts(
    invoker: &Invoker,
    event: &Bytes,
    invocations: usize,
    until: Until<'_>,
) -> Parts {
    let clock = cost_of_clock();
    let mut recorders = [(); 5].map(|()| Recorder::new());
    for number in 1..=invocations {
        if until.is_over() {
            break;
        }
        let start = Instant::now();
        let (response, marks) = marked(invoker.invoke(event)).await;
        let all = start.elapsed();
        drop(black_box(response));
        for (recorder, time) in recorders.iter_mut().zip(split(marks, all, clock)) {
            recorder.record(time);
        }
        if number % CHUNK == 0 {
            yield_now().await;
        }
    }
    let medians = recorders.map(|recorder| recorder.times().median());
    let [reading, handler, encoding, outcome, other] = medians;
    Parts {
        reading,
        handler,
        encoding,
        outcome,
        other,
    }
}

/// Returns the time of each part, without the time of noting the points. A part whose end was not
/// reached lasts until the next point that was reached.
fn split(marks: Marks, all: Duration, clock: Duration) -> [Duration; 5] {
    let mut reached = marks;
    for at in (1..reached.len()).rev() {
        let next = reached.get(at).copied().flatten();
        if let Some(before) = reached.get_mut(at - 1) {
            *before = before.or(next);
        }
    }
    let [reading, read, signalled, encoded, outcome] = reached;
    let between = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
        (Some(from), Some(to)) => to.saturating_duration_since(from).saturating_sub(clock),
        _ => Duration::ZERO,
    };
    let parts = [
        between(reading, read),
        between(read, signalled),
        between(signalled, encoded),
        between(encoded, outcome),
    ];
    let points = u32::try_from(marks.iter().flatten().count()).unwrap_or(0);
    let other = all.saturating_sub(parts.iter().sum::<Duration>() + clock * points);
    let [reading, handler, encoding, outcome] = parts;
    [reading, handler, encoding, outcome, other]
}

/// Returns the time of reading the clock, which is not part of an invocation: the median of many.
pub(super) fn cost_of_clock() -> Duration {
    const READS: u32 = 100;
    let mut recorder = Recorder::new();
    for _ in 0..101 {
        let begin = Instant::now();
        for _ in 0..READS {
            black_box(Instant::now());
        }
        recorder.record(begin.elapsed());
    }
    recorder.times().median() / READS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{Callback, Context, Error, Value, error, set_immediate};
    use parking_lot::Mutex as Notes;
    use std::sync::Arc;

    fn nanos(nanos: [u64; 5]) -> [Duration; 5] {
        nanos.map(Duration::from_nanos)
    }

    #[test]
    fn the_parts_are_those_between_the_points() {
        let begin = Instant::now();
        let marks = [100, 300, 600, 1000, 1500].map(|at| Some(begin + Duration::from_nanos(at)));
        let (all, mark) = (Duration::from_nanos(2000), Duration::from_nanos(10));
        assert_eq!(split(marks, all, mark), nanos([190, 290, 390, 490, 590]));
        // A handler that fails without a signal.
        let [reading, read, _, _, outcome] = marks;
        assert_eq!(
            split([reading, read, None, None, outcome], all, mark),
            nanos([190, 1190, 0, 0, 590])
        );
        assert_eq!(split([None; 5], all, mark), nanos([0, 0, 0, 0, 2000]));
    }

    /// Records when it is serialized.
    struct Noting(Arc<Notes<Vec<Instant>>>);

    impl serde::Serialize for Noting {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.lock().push(Instant::now());
            serializer.serialize_unit()
        }
    }

    #[tokio::test]
    async fn a_handler_its_encoding_and_its_tasks_are_between_their_points() {
        let noted = Arc::new(Notes::new(Vec::new()));
        let notes = Arc::clone(&noted);
        let handler = move |_: Value, _: Context, callback: Callback<Noting>| {
            notes.lock().push(Instant::now());
            let later = Arc::clone(&notes);
            set_immediate(move || later.lock().push(Instant::now()));
            callback.succeed(Noting(Arc::clone(&notes)));
            // The first signal counts.
            callback_again();
        };
        fn callback_again() {
            Context::current().unwrap().fail("again");
        }
        let (invoker, event) = (Invoker::new(handler), "{}".into());
        let (response, marks) = marked(invoker.invoke(&event)).await;
        response.unwrap();
        let marks = marks.map(Option::unwrap);
        let noted = noted.lock().clone();
        let [handler, encoding, task] = *noted else {
            panic!("{noted:?}");
        };
        let order = [
            marks[0], marks[1], handler, marks[2], encoding, marks[3], task, marks[4],
        ];
        assert!(order.is_sorted(), "{order:?}");
    }

    #[tokio::test]
    async fn every_point_is_reached_whatever_a_handler_signals() {
        let handler = |event: Value, _: Context, callback: Callback| match event["way"].as_str() {
            Some("null") => callback(None, None),
            Some("fail") => callback.fail(error!("failed")),
            _ => callback.succeed(event),
        };
        let asynchronous = async |event: Value| Ok::<_, Error>(event);
        let bytes = |event: Bytes, _: Context, callback: Callback<Bytes>| callback.succeed(event);
        let (handler, asynchronous, bytes) = (
            Invoker::new(handler),
            Invoker::new(asynchronous),
            Invoker::new(bytes),
        );
        for (invoker, event) in [
            (&handler, r#"{"way":"null"}"#),
            (&handler, r#"{"way":"fail"}"#),
            (&handler, "{}"),
            (&asynchronous, "{}"),
            (&bytes, "{}"),
        ] {
            let bytes = event.into();
            let (_, marks) = marked(invoker.invoke(&bytes)).await;
            assert!(
                marks.is_sorted() && marks.iter().all(Option::is_some),
                "{event}"
            );
        }
        // The result of this one is ignored.
        let ((), marks) = marked(async {}).await;
        handler.invoke(&"{}".into()).await.unwrap();
        assert_eq!(marks, [None; 5]);
    }

    #[tokio::test]
    async fn the_points_of_an_invocation_within_a_handler_are_not_noted() {
        let noted = Arc::new(Notes::new(Vec::new()));
        let notes = Arc::clone(&noted);
        let handler = move |event: Value| {
            let notes = Arc::clone(&notes);
            async move {
                let inner = async |event: Value| Ok::<_, Error>(event);
                let outcome = crate::invoke(inner, &event, Context::default()).await;
                Invoker::new(inner).invoke(&"{}".into()).await?;
                // The points of the handler are noted in later polls, too.
                yield_now().await;
                notes.lock().push(Instant::now());
                outcome.result
            }
        };
        let (invoker, event) = (Invoker::new(handler), "{}".into());
        let (response, marks) = marked(invoker.invoke(&event)).await;
        response.unwrap();
        let [_, read, signalled, encoded, outcome] = marks.map(Option::unwrap);
        let order = [read, noted.lock()[0], signalled, encoded, outcome];
        assert!(order.is_sorted(), "{order:?}");
    }
}
