//! The ends of a stream, in every order, and each pair of them at the same time.

use super::*;
use crate::{
    completion::DuplicateSignal,
    invocation::{
        Context, Function, state::ClaimedBy, streamify_response, timeline::TimelineEvent,
    },
    stream::{ResponseStream, StreamReader},
};
use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, Fuse},
};
use std::{
    sync::Barrier,
    task::{self, Wake, Waker},
    thread,
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
    time,
};
use tracing::Span;

/// One step of a test of a stream with two handles. The number selects the handle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Write(usize),
    End(usize),
    Fail(usize),
    Drop(usize),
    /// The handler returns an error.
    Throw,
    Deadline,
    /// The client disconnects.
    Gone,
}

use Step::{Deadline, Drop, End, Fail, Gone, Throw, Write};

const STEPS: [Step; 11] = [
    Write(0),
    Write(1),
    End(0),
    End(1),
    Fail(0),
    Fail(1),
    Drop(0),
    Drop(1),
    Throw,
    Deadline,
    Gone,
];

/// A client that reads each chunk at once, until it disconnects.
#[derive(Clone, Default)]
struct Client {
    goes: Arc<Notify>,
}

/// What the client has read, and how the stream ended for it.
type Read = (Vec<Bytes>, Option<Result<()>>);

impl Sink for Client {
    type Sent = Read;
    const WATCHED: bool = false;

    async fn send(self, _: Result<Bytes>, _: &Span) -> Read {
        panic!("it is a stream")
    }

    async fn stream(self, stream: StreamReader, _: Span) -> Read {
        let mut chunks = Vec::new();
        loop {
            tokio::select! {
                biased;
                read = stream.chunk() => match read {
                    Some(Ok(chunk)) => chunks.push(chunk),
                    Some(Err(error)) => return (chunks, Some(Err(error))),
                    None => return (chunks, Some(Ok(()))),
                },
                () = self.goes.notified() => return (chunks, None),
            }
        }
    }

    async fn send_for_blocked(self, _: Error) {}

    async fn ended_for_blocked(self, _: Error, _: impl Future<Output = ()> + Send) {}
}

/// What is observed of an invocation.
#[derive(Debug, PartialEq)]
struct Seen {
    chunks: Vec<Bytes>,
    /// The error type at the end of the stream, `ok`, or `None` if the client has disconnected.
    end: Option<String>,
    duplicates: usize,
    /// The result of each write.
    writes: Vec<String>,
}

fn named(result: &Result<()>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(error) => error.code().unwrap_or(error.error_type()).into(),
    }
}

const TIMEOUT: Duration = Duration::from_secs(3);

/// A running invocation, and the two handles of its stream.
struct Stage {
    streams: [Option<ResponseStream>; 2],
    throw: Option<oneshot::Sender<()>>,
    hold: oneshot::Sender<()>,
    client: Client,
    driven: tokio::task::JoinHandle<(Option<Read>, Vec<DuplicateSignal>, usize)>,
}

impl Stage {
    async fn new() -> Self {
        let (give, given) = oneshot::channel();
        let (throw, thrown) = oneshot::channel();
        let (hold, held) = oneshot::channel::<()>();
        let parts = Arc::new(Mutex::new(Some((give, thrown, held))));
        let handler = move |_: Bytes, stream: ResponseStream, context: Context| {
            let (give, thrown, held) = parts.lock().take().unwrap();
            // Duplicate signals are counted until the invocation is over.
            context.wait_until(async { drop(held.await) });
            drop(give.send(stream));
            async {
                match thrown.await {
                    Ok(()) => Err(Error::new("Thrown", "")),
                    Err(_) => Ok(()),
                }
            }
        };
        let function = Function::new(streamify_response(handler));
        let client = Client::default();
        let sink = client.clone();
        let driven = tokio::spawn(async move {
            let context = Context::builder().timeout(TIMEOUT);
            let driven = function.drive(Ok(Bytes::from_static(b"1")), context, sink);
            let driven = driven.await;
            (
                driven.sent,
                driven.duplicate_signals,
                driven.duplicate_signal_count,
            )
        });
        let stream = given.await.unwrap();
        Stage {
            streams: [Some(stream.clone()), Some(stream)],
            throw: Some(throw),
            hold,
            client,
            driven,
        }
    }

    /// Whether the step is possible.
    fn can(&self, step: Step) -> bool {
        match step {
            Write(at) | End(at) | Fail(at) | Drop(at) => self.streams[at].is_some(),
            Throw => self.throw.is_some(),
            Deadline | Gone => true,
        }
    }

    async fn take(&mut self, step: Step, writes: &mut Vec<String>) {
        match step {
            Write(at) => {
                let text = writes.len().to_string();
                let written = self.streams[at].as_ref().unwrap().write(text).await;
                writes.push(named(&written));
            }
            End(at) => self.streams[at].take().unwrap().end().await.unwrap(),
            Fail(at) => self.streams[at]
                .take()
                .unwrap()
                .fail(Error::new("Failed", "")),
            Drop(at) => drop(self.streams[at].take()),
            Throw => drop(self.throw.take().map(|throw| throw.send(()))),
            Deadline => time::sleep(2 * TIMEOUT).await,
            Gone => self.client.goes.notify_one(),
        }
        // Lets the tasks react to the step.
        for _ in 0..16 {
            yield_now().await;
        }
    }

    async fn end(self, writes: Vec<String>) -> Seen {
        drop((self.streams, self.throw));
        drop(self.hold);
        let (sent, _, duplicates) = self.driven.await.unwrap();
        let (chunks, end) = sent.unwrap();
        Seen {
            chunks,
            end: end.as_ref().map(named),
            duplicates,
            writes,
        }
    }
}

/// Returns what has to be observed after these steps.
fn expected(steps: &[Step]) -> Seen {
    let (mut end, mut gone, mut duplicates) = (None, false, 0);
    let (mut handles, mut pending) = ([true; 2], true);
    let (mut chunks, mut writes) = (Vec::new(), Vec::new());
    let mut over = false;
    let mut ends = |end: &mut Option<&'static str>, over: bool, with| match end {
        // Duplicate signals after the end of the invocation are logged, but not counted here.
        Some(_) => duplicates += usize::from(!over),
        None => *end = Some(with),
    };
    let mut delivered = None;
    // `Stage::end` drops the remaining handles.
    let rest = [Drop(0), Drop(1), Throw];
    for (at, step) in steps.iter().chain(&rest).enumerate() {
        let is_rest = at >= steps.len();
        match *step {
            Write(_) if end.is_some() => writes.push("ERR_STREAM_WRITE_AFTER_END"),
            Write(_) if gone => writes.push("Runtime.StreamClosed"),
            Write(_) => {
                chunks.push(Bytes::from(writes.len().to_string()));
                writes.push("ok");
            }
            End(handle) => {
                handles[handle] = false;
                ends(&mut end, over, "ok");
            }
            Fail(handle) => {
                handles[handle] = false;
                ends(&mut end, over, "Failed");
            }
            Drop(handle) => handles[handle] = false,
            Throw if !pending => {}
            Throw => {
                pending = false;
                if !is_rest {
                    ends(&mut end, over, "Thrown");
                }
            }
            Deadline => {
                (pending, over) = (false, true);
                end.get_or_insert("Sandbox.Timedout");
            }
            Gone => gone = true,
        }
        if handles == [false; 2] && !pending {
            end.get_or_insert("Runtime.StreamNotEnded");
        }
        // A client that is still connected receives the end at once.
        if !gone {
            delivered = end;
        }
    }
    Seen {
        chunks,
        end: delivered.map(String::from),
        duplicates,
        writes: writes.into_iter().map(String::from).collect(),
    }
}

/// Calls `check` with each possible sequence of up to `length` steps.
fn each(length: usize, check: &mut impl FnMut(&[Step])) {
    fn follow(steps: &mut Vec<Step>, left: usize, check: &mut impl FnMut(&[Step])) {
        check(steps);
        if left == 0 {
            return;
        }
        for step in STEPS {
            let consumed = |at| {
                steps
                    .iter()
                    .any(|step| matches!(step, End(n) | Fail(n) | Drop(n) if *n == at))
            };
            let possible = match step {
                Write(at) | End(at) | Fail(at) | Drop(at) => !consumed(at),
                step => !steps.contains(&step),
            };
            if possible {
                steps.push(step);
                follow(steps, left - 1, check);
                steps.pop();
            }
        }
    }
    follow(&mut Vec::new(), length, check);
}

#[test]
fn every_order_of_steps_ends_the_stream_once_and_loses_no_chunk() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let mut orders = 0;
    each(4, &mut |steps| {
        orders += 1;
        let seen = runtime.block_on(async {
            let (mut stage, mut writes) = (Stage::new().await, Vec::new());
            for step in steps {
                assert!(stage.can(*step), "{steps:?}");
                stage.take(*step, &mut writes).await;
            }
            stage.end(writes).await
        });
        assert_eq!(seen, expected(steps), "{steps:?}");
    });
    assert_eq!(orders, 3_832);
}

#[test]
fn two_threads_that_end_a_stream_at_the_same_time_end_it_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let one = [Write(0), End(0), Fail(0), Drop(0), Throw, Gone];
    let other = [Write(1), End(1), Fail(1), Drop(1)];
    for (first, second) in one
        .into_iter()
        .flat_map(|one| other.map(|other| (one, other)))
    {
        for _ in 0..50 {
            let mut stage = runtime.block_on(Stage::new());
            let barrier = Barrier::new(2);
            let [stream, another] = stage.streams.each_mut().map(Option::take);
            let (throw, goes) = (stage.throw.take(), Arc::clone(&stage.client.goes));
            let act = |step, stream: Option<ResponseStream>, throw: Option<oneshot::Sender<()>>| {
                let (barrier, goes) = (&barrier, &goes);
                let handle = runtime.handle();
                move || {
                    barrier.wait();
                    // Whether a write was accepted.
                    match step {
                        Write(_) => {
                            return handle.block_on(stream.as_ref().unwrap().write("x")).is_ok();
                        }
                        End(_) => handle.block_on(stream.unwrap().end()).unwrap(),
                        Fail(_) => stream.unwrap().fail(Error::new("Failed", "")),
                        Throw => throw.unwrap().send(()).unwrap(),
                        Gone => goes.notify_one(),
                        Drop(_) | Deadline => drop(stream),
                    }
                    false
                }
            };
            let written = thread::scope(|scope| {
                let first = scope.spawn(act(first, stream, throw));
                let second = scope.spawn(act(second, another, None));
                [first.join().unwrap(), second.join().unwrap()]
            });
            let steps = [first, second];
            let accepted = written.iter().filter(|accepted| **accepted).count();
            let seen = runtime.block_on(stage.end(vec![]));
            let case = format!("{steps:?}: {seen:?}, {accepted} accepted");
            let ends = |step: &Step| matches!(step, End(_) | Fail(_) | Throw);
            let ends = steps.iter().filter(|step| ends(step)).count();
            match seen.end.as_deref() {
                None => assert!(steps.contains(&Gone), "{case}"),
                Some(_) => assert_eq!(seen.chunks.len(), accepted, "{case}"),
            }
            if let Some(end) = seen.end {
                let possible: Vec<_> = steps
                    .iter()
                    .filter_map(|step| match step {
                        End(_) => Some("ok"),
                        Fail(_) => Some("Failed"),
                        Throw => Some("Thrown"),
                        _ => None,
                    })
                    .collect();
                match possible.as_slice() {
                    [] => assert_eq!(end, "Runtime.StreamNotEnded", "{case}"),
                    possible => assert!(possible.contains(&end.as_str()), "{case}"),
                }
            }
            assert_eq!(seen.duplicates, ends.saturating_sub(1), "{case}");
        }
    }
}

#[test]
fn a_stream_of_a_claimed_invocation_is_not_sent() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (context, _waiter) = Context::builder().start();
        let sending = Sending::new(&context.invocation);
        let stream = context.open_stream(1);
        context
            .invocation
            .claim_outcome(ClaimedBy::Watchdog)
            .unwrap();
        sending.start(&Client::default());
        assert!(!stream.has_reader());
        // Its outcome is sent by what has claimed the invocation.
        assert!(sending.task().is_none());
    });
}

#[tokio::test]
async fn a_stream_is_read_before_its_handler_runs() {
    let handler = async |(): (), stream: ResponseStream, context: Context| {
        assert!(context.invocation.stream.get().unwrap().has_reader());
        stream.end_with("read").await
    };
    let function = Function::new(streamify_response(handler));
    let event = Ok(Bytes::from_static(b"null"));
    let driven = function
        .drive(event, Context::builder(), Client::default())
        .await;
    let (read, end) = driven.sent.unwrap();
    assert_eq!(read, ["read"]);
    assert!(matches!(end, Some(Ok(()))), "{end:?}");
}

/// Polls a future within each call that wakes it.
struct AtOnce(Mutex<Fuse<BoxFuture<'static, ()>>>);

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        if let Some(mut future) = self.0.try_lock() {
            let _ = future.poll_unpin(&mut task::Context::from_waker(&waker));
        }
    }
}

/// The driver may end the stream between the signal and the rest of `end`, if it runs on another
/// thread. Here it does so within the signal.
#[tokio::test]
async fn the_end_of_a_stream_has_its_call_site_even_if_the_driver_is_faster() {
    let fail = |stream: ResponseStream| stream.fail(Error::new("Failed", ""));
    let end = |stream: ResponseStream| stream.end().now_or_never().unwrap().unwrap();
    for end in [fail, end] {
        let (give, given) = oneshot::channel();
        let give = Mutex::new(Some(give));
        let handler = move |_: Bytes, stream: ResponseStream| {
            drop(give.lock().take().unwrap().send(stream));
            async { Ok::<_, Error>(()) }
        };
        let function = Function::new(streamify_response(handler));
        let context = Context::builder().record_timeline();
        let recorder = Arc::clone(context.recorder().unwrap());
        let driven = async move {
            let event = Ok(Bytes::from_static(b"1"));
            drop(function.drive(event, context, Client::default()).await);
        };
        Arc::new(AtOnce(Mutex::new(driven.boxed().fuse()))).wake();
        end(given.await.unwrap());
        let timeline = recorder.timeline();
        let mut events = timeline.entries.iter().map(|entry| &entry.event);
        // The driver was faster.
        assert!(
            events.any(|event| matches!(event, TimelineEvent::Responded { .. })),
            "{timeline}"
        );
        let call_site = events.find_map(|event| match event {
            TimelineEvent::StreamEnded { call_site, .. } => Some(*call_site),
            _ => None,
        });
        assert!(
            matches!(call_site, Some(Some(CallSite::Call { .. }))),
            "{timeline}"
        );
    }
}
