//! Measures the invocations of each event, one event at a time.

use super::{
    Bench, Invoker,
    allocations::counted,
    figures::{Allocations, Figures, Invocations},
    original::OriginalOnNode,
    parts::{cost_of_clock, parts},
    report::BenchReport,
    times::Recorder,
};
use crate::{
    error::{Error, Result},
    parity,
};
use bytes::Bytes;
use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, task::yield_now};

/// The measurement of an event ends after this time, however many invocations are left.
const LIMIT: Duration = Duration::from_secs(60);

/// Each of the other steps ends after this time: warming up, measuring the parts, counting
/// allocations.
const SHORT_LIMIT: Duration = Duration::from_secs(6);

/// The number of invocations that are timed before their times are recorded, unless they take
/// longer than `CHUNK_TIME`.
pub(super) const CHUNK: usize = 256;
const CHUNK_TIME: Duration = Duration::from_millis(50);

/// The maximum number of invocations that warm up, and of those whose parts are measured.
pub(super) const WARM_UP: usize = 1_000;

/// The number of invocations whose allocations are counted.
const COUNTED: usize = 20;

/// The progress of a benchmark.
#[derive(Clone, Copy, Debug)]
pub(super) enum Progress<'a> {
    /// `done` invocations of all with this event are done. `number` is the number of the event
    /// among all `events`.
    Event {
        name: &'a str,
        number: usize,
        events: usize,
        done: usize,
        of: usize,
    },
    /// The figures of an event that is done.
    Measured(&'a Figures),
}

/// The conditions to end early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until<'a> {
    stop: &'a AtomicBool,
    end: Instant,
}

impl Until<'_> {
    pub(super) fn is_over(self) -> bool {
        self.is_stopped() || Instant::now() >= self.end
    }

    fn is_stopped(self) -> bool {
        // ORDERING: Relaxed, since nothing is published by the flag.
        self.stop.load(Ordering::Relaxed)
    }
}

impl Bench {
    /// Measures one event after the other, until all are done or `stop` is set, and calls `each`
    /// with the progress.
    pub(super) async fn run_each(
        &self,
        invoker: &Invoker,
        stop: &AtomicBool,
        mut each: impl FnMut(Progress<'_>),
    ) -> Result<BenchReport> {
        // Two benchmarks at the same time would disturb each other.
        static ONE: Mutex<()> = Mutex::const_new(());
        let _one = ONE.lock().await;
        let until = |time| Until {
            stop,
            end: Instant::now() + time,
        };
        let events = parity::events_of(&self.events)?;
        let mut original = match &self.original {
            Some(original) => Some(OriginalOnNode::new(original, self.root.as_deref()).await?),
            None => None,
        };
        let mut report = BenchReport::default();
        let (count, all) = (events.len(), self.invocations);
        for (number, (name, event)) in (1..).zip(events) {
            let mut done = |done| {
                each(Progress::Event {
                    name: &name,
                    number,
                    events: count,
                    done,
                    of: all,
                });
            };
            let measured = measure(invoker, &event, all, until, &mut done).await;
            let mut figures = measured.map_err(|error| not_measured(&name, &error))?;
            if let Some(original) = original.as_mut().filter(|_| !until(LIMIT).is_stopped()) {
                let measured = original.measure(invoker, &event, all, until, &mut done);
                let invocations = measured
                    .await
                    .map_err(|error| not_measured(&name, &error))?;
                figures.original = Some(invocations).filter(|all| all.times.count() > 0);
            }
            figures.name = name;
            report.is_interrupted = until(LIMIT).is_stopped();
            if figures.port.times.count() > 0 {
                each(Progress::Measured(&figures));
                report.add(figures);
            }
            if report.is_interrupted {
                break;
            }
        }
        Ok(report)
    }
}

fn not_measured(event: &str, error: &Error) -> Error {
    let (error_type, message) = (error.error_type(), error.message());
    let text = format!("{event} cannot be measured: {error_type}: {message}");
    Error::ours("Runtime.EventNotMeasured", text)
}

/// Fails if the first invocation does not respond before its deadline, since all of them would take
/// that long.
async fn measure<'a>(
    invoker: &Invoker,
    event: &Bytes,
    invocations: usize,
    until: impl Fn(Duration) -> Until<'a>,
    mut done: impl FnMut(usize),
) -> Result<Figures> {
    done(0);
    let few = (invocations / 10).clamp(1, WARM_UP);
    let end = until(SHORT_LIMIT);
    for number in 0..few {
        match black_box(invoker.invoke(event).await) {
            Err(error) if number == 0 && is_timeout(&error) => return Err(error),
            _ if end.is_over() => break,
            _ => {}
        }
    }
    // The parts come first, so that they are there if the long measurement is stopped.
    let parts = parts(invoker, event, few, until(SHORT_LIMIT)).await;
    let allocations = allocations(invoker, event, until(SHORT_LIMIT)).await;
    let port = timed(
        invoker,
        event,
        invocations,
        CHUNK_TIME,
        until(LIMIT),
        &mut done,
    );
    Ok(Figures {
        port: port.await,
        parts,
        allocations,
        ..Figures::default()
    })
}

fn is_timeout(error: &Error) -> bool {
    ["Sandbox.Timedout", "Runtime.NoResponseBeforeDeadline"].contains(&error.error_type())
}

/// Times each invocation. Times are recorded between chunks, so that nothing else is done between
/// the invocations of a chunk.
async fn timed(
    invoker: &Invoker,
    event: &Bytes,
    invocations: usize,
    chunk_time: Duration,
    until: Until<'_>,
    done: &mut impl FnMut(usize),
) -> Invocations {
    let clock = cost_of_clock();
    let (mut timed, mut recorder) = (Invocations::default(), Recorder::new());
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut count = 0;
    while count < invocations && !until.is_over() {
        let first = Instant::now();
        let mut before = first;
        for _ in 0..CHUNK.min(invocations - count) {
            let outcome = black_box(invoker.invoke(event).await);
            let failed = outcome.err();
            let now = Instant::now();
            chunk.push(now - before);
            before = now;
            if let Some(error) = failed {
                timed.fail(|| format!("{}: {}", error.error_type(), error.message()));
                drop(error);
                before = Instant::now();
            }
            if now - first >= chunk_time {
                break;
            }
        }
        count += chunk.len();
        for time in chunk.drain(..) {
            recorder.record(time.saturating_sub(clock));
        }
        done(count);
        // This lets unfinished tasks of earlier invocations run, and gives the next chunk a new
        // cooperative budget in tokio.
        yield_now().await;
    }
    timed.times = recorder.times();
    timed
}

/// Returns the allocations of the invocation that allocates least. Others may allocate memory that
/// is then kept for later ones.
async fn allocations(invoker: &Invoker, event: &Bytes, until: Until<'_>) -> Option<Allocations> {
    let mut least: Option<Allocations> = None;
    for _ in 0..COUNTED {
        if until.is_over() {
            break;
        }
        let (_, counted) = counted(invoker.invoke(event)).await;
        let counted = counted?;
        if least.is_none_or(|least| counted.count < least.count) {
            least = Some(counted);
        }
    }
    least
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{Callback, Context, Value, error};
    use serde_json::json;
    use std::sync::{Arc, atomic::AtomicUsize};

    static NOT_STOPPED: AtomicBool = AtomicBool::new(false);

    fn until(time: Duration) -> Until<'static> {
        Until {
            stop: &NOT_STOPPED,
            end: Instant::now() + time,
        }
    }

    #[tokio::test]
    async fn each_invocation_is_timed_and_failures_are_counted() {
        let handler = |event: Value, _: Context, callback: Callback| match event["fails"].as_bool()
        {
            Some(true) => callback.fail(error!("failed")),
            _ => callback.succeed(event),
        };
        let (invoker, mut counts) = (Invoker::new(handler), Vec::new());
        let event = r#"{"n":1}"#.into();
        let figures = measure(&invoker, &event, 1000, until, |count| counts.push(count)).await;
        let figures = figures.unwrap();
        assert_eq!((figures.port.times.count(), figures.port.failed), (1000, 0));
        assert_eq!(counts.last(), Some(&1000));
        assert!(figures.parts.reading > Duration::ZERO, "{figures:?}");
        let event = r#"{"fails":true}"#.into();
        let figures = measure(&invoker, &event, 10, until, |_| ()).await.unwrap();
        assert_eq!((figures.port.times.count(), figures.port.failed), (10, 10));
        let error = figures.port.first_error.as_deref();
        assert_eq!(error, Some("Error: failed"));
        let is_counted = cfg!(feature = "bench-allocations");
        assert_eq!(figures.allocations.is_some(), is_counted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_hangs_is_not_measured() {
        let invoker = Invoker::new(async |_: Value| std::future::pending::<Result<()>>().await);
        let error = measure(&invoker, &"{}".into(), 1000, until, |_| ()).await;
        let error = not_measured("a.json", &error.unwrap_err());
        assert_eq!(error.error_type(), "Runtime.EventNotMeasured");
        let message = error.message();
        assert!(
            message.starts_with("a.json cannot be measured: Sandbox.Timedout: "),
            "{message}"
        );
        assert!(
            message.ends_with("timed out after 3.00 seconds"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn slow_invocations_are_recorded_one_by_one_until_time_is_up() {
        let handler = |_: Value, _: Context, callback: Callback| callback.succeed(json!(null));
        let (invoker, mut done) = (Invoker::new(handler), Vec::new());
        let event = "{}".into();
        let mut each = |count| done.push(count);
        let (chunk, long) = (Duration::ZERO, until(LIMIT));
        let three = timed(&invoker, &event, 3, chunk, long, &mut each).await;
        assert_eq!(three.times.count(), 3);
        let none = timed(&invoker, &event, 3, chunk, until(Duration::ZERO), &mut each).await;
        assert_eq!(none.times.count(), 0);
        assert_eq!(done, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_benchmark_that_is_stopped_has_what_was_measured() {
        let file =
            std::env::temp_dir().join(format!("nodeback-bench-{}.jsonl", std::process::id()));
        std::fs::write(&file, "{}\n{}\n{}\n").unwrap();
        let handler = |_: Value, _: Context, callback: Callback| callback.succeed(json!(null));
        let (invoker, stop) = (Invoker::new(handler), AtomicBool::new(false));
        let bench = Bench::new(&file).invocations(1_000_000);
        let each = |progress: Progress<'_>| {
            if let Progress::Event {
                number: 2,
                done: 1..,
                ..
            } = progress
            {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let short = bench.clone().invocations(300);
        let report = short.run_each(&invoker, &stop, each).await.unwrap();
        let counts: Vec<_> = report
            .events()
            .iter()
            .map(|event| event.invocations())
            .collect();
        assert_eq!((counts, report.is_interrupted), (vec![300, 256], true));
        // Before anything was timed.
        let report = bench.run_each(&invoker, &stop, |_| ()).await.unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(report.events().is_empty() && report.is_interrupted);
    }

    #[tokio::test]
    async fn no_invocation_follows_the_one_that_runs_when_the_benchmark_is_stopped() {
        static STOP: AtomicBool = AtomicBool::new(false);
        let entered = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&entered);
        let handler = move |_: Value, _: Context, callback: Callback| {
            STOP.store(true, Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
            callback.succeed(json!(null));
        };
        let until = |time| Until {
            stop: &STOP,
            end: Instant::now() + time,
        };
        let invoker = Invoker::new(handler);
        let figures = measure(&invoker, &"{}".into(), 1000, until, |_| ()).await;
        assert_eq!(figures.unwrap().port.times.count(), 0);
        assert_eq!(entered.load(Ordering::Relaxed), 1);
    }
}
