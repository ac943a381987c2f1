//! Runs many invocations while the Runtime API and the handlers fail at random. Each event must get
//! exactly one outcome, which is its own, unless the API reported that it had given up the event.
//!
//! There are 5,000 invocations, or 100,000 with `NODEBACK_FULL=1`.

mod support;

use nodeback::{Callback, Context, Error, Value, json};
use std::{collections::BTreeMap, thread, time::Duration};
use support::{
    Process,
    bad_api::{BadApi, Reply, Request, event, status},
    function as function_process, seed, size,
};
use tokio::{sync::watch, time};

/// Runs the function under test. This is not a test: the test below starts it as a process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs to be started by the other test, as the process of a function"]
async fn function() {
    // Suppresses the messages of the intended panics.
    std::panic::set_hook(Box::new(|_| {}));
    if let Err(error) = nodeback::run(moody).await {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

/// Responds with the number of its event, or fails with it, in the way that the event asks for.
fn moody(event: Value, context: Context, callback: Callback) -> Result<(), Error> {
    let n = event["n"].clone();
    match event["how"].as_u64() {
        Some(0) => callback(Some(Error::new("Failed", n.to_string())), None),
        Some(1) => return Err(Error::new("Thrown", n.to_string())),
        Some(2) => panic!("{n}"),
        Some(3) => drop(callback),
        Some(4) => {
            thread::spawn(move || callback(None, Some(n)));
        }
        Some(5) => {
            context.spawn(async move {
                tokio::task::yield_now().await;
                callback.succeed(n);
            });
        }
        Some(6) => {
            context.spawn(async move { Err::<(), _>(Error::new("Task", n.to_string())) });
            callback.succeed(json!("deferred, and replaced by the error"));
        }
        Some(7) => {
            for _ in 0..20 {
                callback(None, Some(n.clone()));
            }
        }
        Some(8) => {
            context.wait_until(async { panic!("after the response") });
            context.done(None, Some(n));
        }
        _ => callback.succeed(n),
    }
    Ok(())
}

/// What happened to an event that was handed out.
#[derive(Debug, Default)]
struct Fate {
    /// The connection broke off within the event.
    truncated: bool,
    accepted: u64,
    /// The API replied to the outcome that the invocation no longer exists.
    gone: bool,
}

struct Faulty {
    random: fastrand::Rng,
    next: u64,
    end: u64,
    fates: BTreeMap<u64, Fate>,
    ended: watch::Sender<u64>,
    injected: u64,
}

impl Faulty {
    fn reply(&mut self, request: &Request) -> Reply {
        let fault = self.random.u64(..100);
        self.injected += u64::from(fault < 6);
        match request.endpoint.as_str() {
            "next" => self.event(fault),
            _ => self.post(fault, request),
        }
    }

    fn event(&mut self, fault: u64) -> Reply {
        if self.next == self.end {
            return Reply::Stall(vec![]);
        }
        let n = self.next;
        let reply = handed_out(n, self.random.u64(..20));
        let cut = self.random.usize(..reply.len());
        match fault {
            0 => return status("503 Service Unavailable"),
            1 => return Reply::Reset(vec![]),
            2 => return Reply::Whole(event(&[("x-no-id", b"1")], b"{}")),
            3 => {
                // If the cut is within the headers, the function cannot know which event it is, so
                // the event is handed out again.
                if reply[..cut].windows(4).all(|end| end != b"\r\n\r\n") {
                    return Reply::Reset(reply[..cut].to_vec());
                }
                self.fates.entry(n).or_default().truncated = true;
            }
            _ => {}
        }
        self.next += 1;
        let fate = self.fates.entry(n).or_default();
        if fate.truncated {
            return Reply::Reset(reply[..cut].to_vec());
        }
        if fault == 4 {
            Reply::Trickle(reply)
        } else {
            Reply::Whole(reply)
        }
    }

    fn post(&mut self, fault: u64, request: &Request) -> Reply {
        let n: u64 = request
            .request_id
            .parse()
            .expect("an id that was handed out");
        let fate = self
            .fates
            .get_mut(&n)
            .expect("an event that was handed out");
        match fault {
            0 => return status("502 Bad Gateway"),
            1 => return Reply::Reset(vec![]),
            2 if fate.accepted == 0 => {
                fate.gone = true;
                self.over();
                return status("410 Gone");
            }
            _ => {}
        }
        if fate.accepted > 0 || fate.gone {
            return status("403 Forbidden");
        }
        fate.accepted += 1;
        if fate.truncated {
            assert!(
                request.body.contains("the event was truncated"),
                "{request:?}"
            );
        } else {
            // The outcome must contain the number of its own event.
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            let never_called = body["errorType"] == "Runtime.CallbackNotCalled";
            let message = body["errorMessage"].as_str().map(str::parse);
            assert!(
                body == n || never_called || message == Some(Ok(n)),
                "{request:?}"
            );
        }
        self.over();
        match fault {
            3 => Reply::Reset(b"HTTP/1.1 202 Acc".to_vec()),
            4 => Reply::Trickle(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec()),
            _ => status("202 Accepted"),
        }
    }

    fn over(&self) {
        self.ended.send_modify(|ended| *ended += 1);
    }
}

fn handed_out(n: u64, how: u64) -> Vec<u8> {
    let deadline = std::time::UNIX_EPOCH.elapsed().expect("after 1970") + Duration::from_secs(60);
    let (id, deadline) = (n.to_string(), deadline.as_millis().to_string());
    let headers: [(&str, &[u8]); 3] = [
        ("lambda-runtime-aws-request-id", id.as_bytes()),
        ("lambda-runtime-deadline-ms", deadline.as_bytes()),
        (
            "lambda-runtime-invoked-function-arn",
            b"arn:aws:lambda:eu-west-1:1:function:f",
        ),
    ];
    event(
        &headers,
        json!({ "n": n, "how": how }).to_string().as_bytes(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_gets_exactly_its_own_outcome_under_random_faults() {
    let end = size(5_000, 100_000);
    let (ended, mut over) = watch::channel(0);
    let faulty = std::sync::Arc::new(std::sync::Mutex::new(Faulty {
        random: fastrand::Rng::with_seed(seed()),
        next: 0,
        end,
        fates: BTreeMap::new(),
        ended,
        injected: 0,
    }));
    let script = std::sync::Arc::clone(&faulty);
    let api = BadApi::start(move |request| script.lock().expect("no panic").reply(request)).await;
    let mut process = function_process("moody", api.address);
    let process = process
        .env("AWS_LAMBDA_MAX_CONCURRENCY", "16")
        .env("AWS_LAMBDA_LOG_LEVEL", "FATAL");
    let process = Process::spawn(process);

    let minutes = time::Duration::from_secs(10 * 60);
    let start = time::Instant::now();
    let mut reach = async |count| {
        let reached = over.wait_for(|ended| *ended >= count);
        let reached = time::timeout(minutes, reached).await;
        assert!(
            reached.is_ok_and(|reached| reached.is_ok()),
            "the script of the API panicked or the invocations took too long"
        );
    };
    reach(1_000).await;
    let early = process.memory("VmHWM");
    reach(end).await;
    let late = process.memory("VmHWM");

    let faulty = faulty.lock().expect("no panic");
    println!(
        "{end} invocations in {:.1} s, {} faults, {} given up by the API; peak memory {early:?} kB \
         after 1,000, {late:?} kB at the end",
        start.elapsed().as_secs_f64(),
        faulty.injected,
        faulty.fates.values().filter(|fate| fate.gone).count(),
    );
    assert_eq!(faulty.fates.len() as u64, end);
    for (n, fate) in &faulty.fates {
        assert_eq!(fate.accepted + u64::from(fate.gone), 1, "{n}: {fate:?}");
    }
    if let (Some(early), Some(late)) = (early, late) {
        assert!(
            late * 10 <= early * 12,
            "the peak memory grew from {early} to {late} kB"
        );
    }
}
