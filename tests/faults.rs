//! Runs the process of a function against a Runtime API that misbehaves. The table in
//! `src/docs/reliability.md` lists what the function does about each fault.

mod support;

use nodeback::{Callback, Context, Error, Runtime, Value, json};
use std::time::Duration;
use support::{
    Process,
    bad_api::{BadApi, Reply, Request, event, status},
    function as function_process,
};
use tokio::time::{self, Instant};

/// Runs the function named in `_HANDLER`. This is not a test: the tests start it as a process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    let ran = match name.as_str() {
        "echo" => nodeback::run(echo).await,
        "fails_to_start" => {
            let init = async { Err::<fn(Value, Context, Callback), _>(Error::new("NoTable", "")) };
            match Runtime::with_init(init).await {
                Ok(runtime) => runtime.run().await,
                Err(error) => Err(error),
            }
        }
        other => panic!("no function {other}"),
    };
    if let Err(error) = ran {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

fn echo(event: Value, context: Context, callback: Callback) {
    callback.succeed(json!({ "event": event, "client": context.client_context }));
}

const ID: &str = "lambda-runtime-aws-request-id";
const DEADLINE: &str = "lambda-runtime-deadline-ms";
const ARN: &str = "lambda-runtime-invoked-function-arn";
const CLIENT: &str = "lambda-runtime-client-context";

fn deadline() -> String {
    let since_1970 = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    (since_1970 + Duration::from_secs(60))
        .as_millis()
        .to_string()
}

fn good(id: &str, body: &[u8]) -> Vec<u8> {
    event(
        &[
            (ID, id.as_bytes()),
            (DEADLINE, deadline().as_bytes()),
            (ARN, b"arn:aws:lambda:eu-west-1:123456789012:function:cases"),
        ],
        body,
    )
}

/// A script in which `next` replies with the fault, then with the event `after`, then never again.
fn then_an_event(fault: Reply) -> impl FnMut(&Request) -> Reply + Send {
    let mut faults = vec![Reply::Whole(good("after", b"1")), fault];
    move |request| match request.endpoint.as_str() {
        "next" => faults.pop().unwrap_or(Reply::Stall(vec![])),
        _ => status("202 Accepted"),
    }
}

/// Whether this is the response to the event that follows the fault.
fn is_after(request: &Request) -> bool {
    request.request_id == "after" && request.endpoint == "response"
}

struct Case {
    fault: Reply,
    /// The post for the faulty event itself, if there can be one: its endpoint and a part of its
    /// body.
    post: Option<(&'static str, &'static str)>,
    /// A part of the expected log.
    log: &'static str,
}

fn without(name: &str) -> Vec<u8> {
    let deadline = deadline();
    let headers: [(&str, &[u8]); 3] =
        [(ID, b"odd"), (DEADLINE, deadline.as_bytes()), (ARN, b"arn")];
    let left: Vec<_> = headers
        .into_iter()
        .filter(|(header, _)| *header != name)
        .collect();
    event(&left, b"1")
}

fn with(name: &str, value: &[u8]) -> Vec<u8> {
    let deadline = deadline();
    let headers: [(&str, &[u8]); 4] = [
        (ID, b"odd"),
        (DEADLINE, deadline.as_bytes()),
        (ARN, b"arn"),
        (name, value),
    ];
    let last = headers.len() - 1;
    let kept = headers
        .iter()
        .enumerate()
        .filter(|(n, (header, _))| *n == last || *header != name);
    let kept: Vec<_> = kept.map(|(_, header)| *header).collect();
    event(&kept, b"1")
}

fn cases() -> Vec<(&'static str, Case)> {
    let retried = |fault| Case {
        fault,
        post: None,
        log: "polling for the next event failed and is retried: ",
    };
    let unreadable = |log| Case {
        post: None,
        log,
        fault: Reply::Whole(vec![]),
    };
    let odd = |fault, log| Case {
        fault: Reply::Whole(fault),
        post: Some(("response", r#"{"event":1,"client":null}"#)),
        log,
    };
    let invalid = |body: &[u8], part| Case {
        fault: Reply::Whole(good("odd", body)),
        post: Some(("error", part)),
        log: "Runtime.UnmarshalError",
    };
    let event = good("odd", b"\"a whole event\"");
    let cut = event.len() - 5;
    let truncated = |fault| Case {
        fault,
        post: Some(("error", "the event was truncated: ")),
        log: "Runtime.EventTruncated",
    };
    vec![
        ("502", retried(status("502 Bad Gateway"))),
        ("503", retried(status("503 Service Unavailable"))),
        ("429", retried(status("429 Too Many Requests"))),
        ("reset before the reply", retried(Reply::Reset(vec![]))),
        (
            "reset in the headers",
            retried(Reply::Reset(event[..20].to_vec())),
        ),
        (
            "not HTTP",
            retried(Reply::Reset(b"\0\x01\x02 what?\r\n\r\n".to_vec())),
        ),
        (
            "reset in the body",
            truncated(Reply::Reset(event[..cut].to_vec())),
        ),
        (
            "stall in the body",
            truncated(Reply::Stall(event[..cut].to_vec())),
        ),
        (
            "trickle",
            Case {
                fault: Reply::Trickle(event),
                post: Some(("response", "a whole event")),
                log: "",
            },
        ),
        (
            "no event yet",
            Case {
                fault: Reply::Whole(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
                post: None,
                log: "",
            },
        ),
        (
            "no request id",
            Case {
                fault: Reply::Whole(without(ID)),
                ..unreadable("an event came without `lambda-runtime-aws-request-id`")
            },
        ),
        (
            "a request id that leads elsewhere",
            Case {
                fault: Reply::Whole(with(ID, b"../../x")),
                ..unreadable("`lambda-runtime-aws-request-id` is \"../../x\": expected an id")
            },
        ),
        (
            "a request id that is not text",
            Case {
                fault: Reply::Whole(with(ID, b"\xff\xfe")),
                ..unreadable("`lambda-runtime-aws-request-id` is \"\\xff\\xfe\": expected an id")
            },
        ),
        (
            "no deadline",
            odd(without(DEADLINE), "`lambda-runtime-deadline-ms` is missing"),
        ),
        ("no function", odd(without(ARN), "")),
        (
            "a deadline that is not a number",
            odd(
                with(DEADLINE, b"soon"),
                "`lambda-runtime-deadline-ms` is \"soon\": expected",
            ),
        ),
        (
            "a deadline that no clock can represent",
            odd(with(DEADLINE, b"18446744073709551615"), ""),
        ),
        (
            "a client context that is not JSON",
            odd(
                with(CLIENT, b"{"),
                "`lambda-runtime-client-context` is left out",
            ),
        ),
        (
            "a client context that is not text",
            odd(
                with(CLIENT, b"\xff"),
                "`lambda-runtime-client-context` is left out",
            ),
        ),
        (
            "a client context with unusual members",
            Case {
                fault: Reply::Whole(with(CLIENT, br#"{"client":{"a":1},"custom":{"n":[1]}}"#)),
                post: Some((
                    "response",
                    r#""client":{"client":{"a":1},"custom":{"n":[1]}}"#,
                )),
                log: "",
            },
        ),
        (
            "an identity that is not an object",
            odd(
                with("lambda-runtime-cognito-identity", b"[1]"),
                "expected JSON: ",
            ),
        ),
        ("an empty body", invalid(b"", "EOF while parsing")),
        (
            "invalid UTF-8",
            invalid(b"\"\xff\"", "unable to parse the event"),
        ),
        ("half an event", invalid(b"{\"a\":", "EOF while parsing")),
        (
            "6 MB of nesting",
            invalid(&[b'['; 6 * 1024 * 1024], "recursion limit exceeded"),
        ),
    ]
}

#[tokio::test]
async fn a_fault_of_next_is_logged_and_the_process_keeps_polling() {
    let runs = cases().into_iter().map(|(name, case)| async move {
        let api = BadApi::start(then_an_event(case.fault)).await;
        let process = Process::spawn(&mut function_process("echo", api.address));
        let requests = api.got(|requests| requests.iter().any(is_after)).await;
        let posts: Vec<_> = requests
            .iter()
            .filter(|request| request.endpoint != "next" && !is_after(request))
            .collect();
        match case.post {
            None => assert!(posts.is_empty(), "{name}: {posts:?}"),
            Some((endpoint, part)) => {
                assert_eq!(posts.len(), 1, "{name}: {posts:?}");
                assert_eq!(posts[0].endpoint, endpoint, "{name}: {posts:?}");
                assert!(posts[0].body.contains(part), "{name}: {posts:?}");
            }
        }
        let polls = requests.iter().filter(|request| request.endpoint == "next");
        assert!(polls.count() <= 3, "{name}: {requests:?}");
        let log = process.log();
        assert!(log.contains(case.log), "{name}: {log}");
        assert!(!log.contains("panicked"), "{name}: {log}");
    });
    futures::future::join_all(runs).await;
}

#[tokio::test]
async fn a_permanent_error_of_next_ends_the_process_with_one_log_line() {
    for line in [
        "500 Internal Server Error",
        "403 Forbidden",
        "410 Gone",
        "413 Payload Too Large",
        "400 Bad Request",
        "302 Found",
    ] {
        let api = BadApi::start(move |_| status(line)).await;
        let (log, code) = ended(Process::spawn(&mut function_process("echo", api.address))).await;
        let start = format!(
            "Error: Runtime.ExitError: the Runtime API failed: the Runtime API responded with {line}"
        );
        assert!(log.starts_with(&start), "{line}: {log}");
        assert!(log.contains("Injected"), "{line}: {log}");
        assert_eq!((log.lines().count(), code), (1, Some(1)), "{line}: {log}");
        assert_eq!(api.so_far().len(), 1);
    }
}

/// Waits for the process to end without blocking the tasks of the API. Returns its log and exit
/// code.
async fn ended(process: Process) -> (String, Option<i32>) {
    tokio::task::spawn_blocking(|| process.end())
        .await
        .expect("no panic")
}

#[tokio::test]
async fn an_api_that_was_never_reachable_ends_the_process_after_a_few_attempts() {
    let address = support::free_address();
    let (log, code) = ended(Process::spawn(&mut function_process("echo", address))).await;
    let lines: Vec<_> = log.lines().collect();
    assert_eq!((lines.len(), code), (2, Some(1)), "{log}");
    assert!(
        lines[0].contains("polling for the next event failed and is retried: "),
        "{log}"
    );
    assert!(lines[0].contains("Connection refused"), "{log}");
    assert!(
        lines[1].starts_with("Error: Runtime.ExitError: the Runtime API failed: "),
        "{log}"
    );
    assert!(lines[1].ends_with(" attempts)"), "{log}");
}

#[tokio::test]
async fn an_init_error_that_is_rejected_is_logged() {
    let api = BadApi::start(|_| status("403 Forbidden")).await;
    let process = Process::spawn(&mut function_process("fails_to_start", api.address));
    let (log, code) = ended(process).await;
    let lines: Vec<_> = log.lines().collect();
    assert_eq!((lines.len(), code), (2, Some(1)), "{log}");
    let logged =
        "\tERROR\tposting the init error failed: the Runtime API responded with 403 Forbidden";
    assert!(lines[0].contains(logged), "{log}");
    assert_eq!(lines[1], "Error: NoTable", "{log}");
    let requests = api.so_far();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].endpoint, "init/error", "{requests:?}");
}

/// A script that replies to the posts for the event `first` with these replies, then accepts them.
fn replies_to_posts(replies: Vec<Reply>) -> impl FnMut(&Request) -> Reply + Send {
    let mut events = vec![
        Reply::Whole(good("after", b"2")),
        Reply::Whole(good("first", b"1")),
    ];
    let mut replies = replies.into_iter();
    move |request| match (request.endpoint.as_str(), request.request_id.as_str()) {
        ("next", _) => events.pop().unwrap_or(Reply::Stall(vec![])),
        (_, "first") => replies.next().unwrap_or(status("202 Accepted")),
        _ => status("202 Accepted"),
    }
}

#[tokio::test]
async fn a_response_is_posted_until_it_is_accepted_or_rejected() {
    let reset = || Reply::Reset(vec![]);
    let cases = [
        (
            "502 twice",
            vec![status("502 Bad Gateway"), status("502 Bad Gateway")],
            3,
            "",
        ),
        ("429", vec![status("429 Too Many Requests")], 2, ""),
        (
            "reset",
            vec![reset(), Reply::Reset(b"HTTP/1.1 202".to_vec())],
            3,
            "",
        ),
        ("no reply", vec![Reply::Stall(vec![])], 2, ""),
        (
            "trickle",
            vec![Reply::Trickle(
                b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
            )],
            1,
            "",
        ),
        (
            "410",
            vec![status("410 Gone")],
            1,
            "posting the outcome failed: the Runtime API responded with 410 Gone (the invocation timed out, or already has an outcome): {\"errorType\":\"Injected\"}",
        ),
        (
            "413",
            vec![status("413 Payload Too Large")],
            1,
            "413 Payload Too Large (it is larger than Lambda accepts)",
        ),
        ("403", vec![status("403 Forbidden")], 1, "403 Forbidden"),
        ("400", vec![status("400 Bad Request")], 1, "400 Bad Request"),
        (
            "accepted, but the reply was lost",
            vec![reset(), status("403 Forbidden")],
            2,
            "(after 1 failed attempts, one of which may have been accepted)",
        ),
    ];
    let runs = cases
        .into_iter()
        .map(|(name, replies, posts, message)| async move {
            let api = BadApi::start(replies_to_posts(replies)).await;
            let process = Process::spawn(&mut function_process("echo", api.address));
            let requests = api.got(|requests| requests.iter().any(is_after)).await;
            let posted: Vec<_> = requests
                .iter()
                .filter(|r| r.request_id == "first")
                .collect();
            assert_eq!(posted.len(), posts, "{name}: {requests:?}");
            for post in posted {
                assert_eq!(
                    (post.endpoint.as_str(), post.body.as_str()),
                    ("response", r#"{"event":1,"client":null}"#)
                );
            }
            let log = process.log();
            assert!(log.contains(message), "{name}: {log}");
            assert_eq!(
                log.contains("posting the outcome failed"),
                !message.is_empty(),
                "{name}: {log}"
            );
        });
    futures::future::join_all(runs).await;
}

#[tokio::test]
async fn a_response_that_meets_status_500_ends_the_process_with_one_more_log_line() {
    let api = BadApi::start(replies_to_posts(vec![status("500 Internal Server Error")])).await;
    let (log, code) = ended(Process::spawn(&mut function_process("echo", api.address))).await;
    assert_eq!((log.lines().count(), code), (2, Some(1)), "{log}");
    assert!(
        log.contains(
            "\nError: Runtime.ExitError: the Runtime API failed: the Runtime API responded with 500"
        ),
        "{log}"
    );
    assert_eq!(api.so_far().len(), 2);
}

const OUTAGE: Duration = Duration::from_secs(10);

/// This test runs in real time, since a paused clock does not work with sockets.
#[tokio::test]
async fn the_process_survives_an_outage_of_ten_seconds_without_flooding_the_api() {
    let outages = [("1", 1), ("16", 16)].map(|(workers, count)| async move {
        let start = Instant::now();
        let mut faults = 0;
        let mut event = Some(good("after", b"1"));
        let api = BadApi::start(move |request| match request.endpoint.as_str() {
            // The first polls succeed: an API that was never reachable ends the process.
            "next" if faults < count => {
                faults += 1;
                Reply::Whole(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
            }
            "next" if start.elapsed() < OUTAGE => status("503 Service Unavailable"),
            "next" => event.take().map_or(Reply::Stall(vec![]), Reply::Whole),
            _ => status("202 Accepted"),
        })
        .await;
        let mut process = function_process("echo", api.address);
        let process = Process::spawn(process.env("AWS_LAMBDA_MAX_CONCURRENCY", workers));
        let requests = api.got(|requests| requests.iter().any(is_after)).await;
        let polls = requests.iter().filter(|r| r.endpoint == "next").count();
        println!("{polls} polls from {workers} workers in an outage of 10 s");
        assert!(
            polls > count && polls <= 14 * count,
            "{polls} polls from {workers} workers"
        );
        let back = time::timeout(Duration::from_secs(10), async { start.elapsed() - OUTAGE });
        assert!(back.await.expect("at once") < Duration::from_secs(8));
        let log = process.log();
        assert!(log.contains("the Runtime API is back, after "), "{log}");
    });
    futures::future::join_all(outages).await;
}
