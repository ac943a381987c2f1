//! Plays a case in the process of a function, Node's or ours, and tells what is seen of it.

use crate::support::runtime_api::{Event, Posted, RuntimeApi};
use nodeback::json;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Child,
    time::timeout,
};

/// The folder of the JavaScript, the `file.export` of the handler, and what is done with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    pub(crate) folder: &'static str,
    pub(crate) handler: String,
    pub(crate) steps: Vec<Step>,
    /// Further variables of the environment of the process.
    pub(crate) environment: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// An invocation with that event.
    Invoke(String),
    /// An invocation that opens a line to the test. An answer that does not come while the line
    /// is open was held, and the test hangs up.
    InvokeOnLine,
    /// An invocation that may take so long.
    InvokeFor(Duration),
    /// An invocation while a line is open, which says when it has begun.
    InvokeBesideLine,
    /// Hangs up a line that an invocation has left open.
    HangUp,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    /// AWS's Node client, with the HTTP module of `src/parity`.
    Node,
    /// AWS's Node client, with its own HTTP module.
    NativeNode,
    Rust,
}

/// What is seen of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Endpoint and body.
    pub(crate) answer: String,
    /// Whether the answer was held, where there was a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<String>,
    /// What became of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<String>,
}

pub(crate) const AT_ONCE: &str = "sent at once";
pub(crate) const HELD: &str = "sent when the test hung up";
const GOES_ON: &str = "the process goes on";

/// lambda_runtime 1.5 gives up where a client context has a `client` without all of these, so
/// they are sent, and taken out again of what is compared.
const CLIENT_CONTEXT: &str = r#"{"client":{"installation_id":"i","app_title":"","app_version_name":"","app_version_code":"","app_package_name":""},"custom":{"k":"v"}}"#;
const RECORDED_CLIENT_CONTEXT: &str = r#"{"client":{"installation_id":"i"},"custom":{"k":"v"}}"#;

/// An answer that is not held comes while the line is asked so often.
const ROUND_TRIPS: usize = 100;

/// Nothing that a test waits for takes so long.
const LONG: Duration = Duration::from_secs(25);

/// Plays the case. Where it was played in Node, `node` is what was seen there.
pub(crate) async fn play(side: Side, case: &Case, node: Option<&[Seen]>) -> Vec<Seen> {
    let api = RuntimeApi::start().await;
    let mut stage = Stage {
        process: start(side, case, &api),
        side,
        case,
        api,
        asked: 1,
        invocations: 0,
        line: None,
    };
    let mut all = Vec::new();
    for (at, step) in case.steps.iter().enumerate() {
        let seen = node.and_then(|node| node.get(at));
        let at_once = seen.is_some_and(|seen| seen.sent.as_deref() == Some(AT_ONCE));
        let seen = timeout(LONG, stage.step(step, at_once)).await;
        all.push(seen.unwrap_or_else(|_| panic!("{side:?} hangs in {}", case.handler)));
    }
    all
}

struct Stage<'a> {
    side: Side,
    case: &'a Case,
    api: RuntimeApi,
    process: Child,
    /// How many events have been asked for when the process is ready for the next one.
    asked: usize,
    invocations: usize,
    line: Option<TcpStream>,
}

impl Stage<'_> {
    async fn step(&mut self, step: &Step, at_once: bool) -> Seen {
        match step {
            Step::Invoke(event) => self.invoke(event.clone(), at_once, LONG).await,
            Step::InvokeFor(allowed) => self.invoke("{}".into(), at_once, *allowed).await,
            Step::InvokeOnLine => {
                self.line = Some(self.connected("until").await);
                self.answered(at_once).await
            }
            Step::InvokeBesideLine => {
                drop(self.connected("begun").await);
                self.answered(at_once).await
            }
            Step::HangUp => {
                let line = self.line.take();
                let mut line = line.unwrap_or_else(|| panic!("{} was held", self.case.handler));
                line.shutdown().await.unwrap();
                let _ = line.read_to_end(&mut Vec::new()).await;
                Seen::default()
            }
        }
    }

    async fn invoke(&mut self, event: String, at_once: bool, allowed: Duration) -> Seen {
        self.send(event, allowed).await;
        self.answered(at_once).await
    }

    /// Sends an event with an address for the handler to connect to.
    async fn connected(&mut self, member: &str) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut event = json!({ "name": "Ada", "n": 3 });
        event[member] = json!(listener.local_addr().unwrap().to_string());
        self.send(event.to_string(), LONG).await;
        listener.accept().await.unwrap().0
    }

    async fn send(&mut self, body: String, allowed: Duration) {
        self.api.asked_for(self.asked).await;
        let deadline = SystemTime::now() + allowed;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
        self.api.send(Event {
            request_id: format!("00000000-0000-4000-8000-{:012}", self.invocations),
            body,
            headers: vec![
                ("lambda-runtime-deadline-ms", deadline.to_string()),
                ("lambda-runtime-client-context", CLIENT_CONTEXT.into()),
                (
                    "lambda-runtime-cognito-identity",
                    r#"{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}"#.into(),
                ),
                ("lambda-runtime-aws-tenant-id", "tenant-1".into()),
            ],
        });
        self.invocations += 1;
    }

    async fn answered(&mut self, at_once: bool) -> Seen {
        let (answer, sent) = self.answer(at_once).await;
        let goes_on = tokio::select! {
            biased;
            () = self.api.asked_for(self.asked + 1) => true,
            _ = self.process.wait() => false,
        };
        let process = if goes_on {
            self.asked += 1;
            GOES_ON.into()
        } else {
            self.ended().await
        };
        Seen {
            answer: answer.map_or("nothing".into(), |posted| text(&posted)),
            sent: sent.map(Into::into),
            process: Some(process + &self.also()),
        }
    }

    async fn answer(&mut self, at_once: bool) -> (Option<Posted>, Option<&'static str>) {
        let mut sent = self.line.is_some().then_some(AT_ONCE);
        if !at_once && let Some(line) = &mut self.line {
            let mut posted = None;
            for _ in 0..ROUND_TRIPS {
                posted = self.api.try_posted();
                let said = line.write_all(b"?").await.is_ok();
                // A line that is dead is so with its process.
                if posted.is_some() || !said || line.read_exact(&mut [0]).await.is_err() {
                    break;
                }
            }
            if posted.is_some() {
                return (posted, sent);
            }
            let _ = line.shutdown().await;
            let _ = line.read_to_end(&mut Vec::new()).await;
            self.line = None;
            sent = Some(HELD);
        }
        let posted = tokio::select! {
            biased;
            posted = self.api.posted() => Some(posted),
            _ = self.process.wait() => self.api.try_posted(),
        };
        (posted, sent)
    }

    /// Waits for the end of the process, and starts another.
    async fn ended(&mut self) -> String {
        let code = self.process.wait().await.unwrap().code();
        self.process = start(self.side, self.case, &self.api);
        self.asked += 1;
        code.map_or("the process is killed".into(), |code| {
            format!("the process ends with {code}")
        })
    }

    /// What else was posted.
    fn also(&mut self) -> String {
        std::iter::from_fn(|| self.api.try_posted())
            .map(|posted| format!(", and posts {}", text(&posted)))
            .collect()
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where `tests/live/node.sh` has put the client.
pub(crate) fn node_client() -> PathBuf {
    root().join("target/live/node/node_modules/aws-lambda-ric/dist/index.mjs")
}

/// Where `tests/live/node.sh native` has put the client with its own HTTP module.
pub(crate) fn native_node_client() -> PathBuf {
    root().join("target/live/native-node/node_modules/aws-lambda-ric/bin/index.mjs")
}

fn start(side: Side, case: &Case, api: &RuntimeApi) -> Child {
    let mut command = match side {
        Side::Node => {
            let mut command = Command::new("node");
            command
                .arg(root().join("src/parity/original.mjs"))
                .arg(node_client())
                .arg(root().join(case.folder))
                .arg(&case.handler);
            command
        }
        Side::NativeNode => {
            let mut command = Command::new("node");
            command.arg(native_node_client()).arg(&case.handler);
            command
        }
        Side::Rust => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--ignored", "--exact", "function", "--nocapture"]);
            command
        }
    };
    // For who wants to know why.
    let log = format!("{}.{side:?}.log", case.handler);
    let log = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join(log)).unwrap();
    command
        .current_dir(root().join(case.folder))
        .env("_HANDLER", &case.handler)
        .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "cases")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/cases")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("RUST_BACKTRACE", "0")
        .envs(case.environment.iter().map(|(name, value)| (name, value)))
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let mut command = tokio::process::Command::from(command);
    let program = command.as_std().get_program().to_owned();
    let child = command.kill_on_drop(true).spawn();
    child.unwrap_or_else(|error| panic!("{}: {error}", program.to_string_lossy()))
}

/// An answer byte for byte; of a trace only whether there is one.
fn text(posted: &Posted) -> String {
    let body = std::str::from_utf8(&posted.body).unwrap();
    let body = body.replace(CLIENT_CONTEXT, RECORDED_CLIENT_CONTEXT);
    // Inside of a JSON string this would be escaped.
    match body.split_once(r#","trace":["#) {
        Some((error, trace)) if posted.endpoint == "error" => answer(
            "error",
            &format!("{error}}}"),
            Some(!trace.starts_with(']')),
        ),
        _ => answer(&posted.endpoint, &body, None),
    }
}

pub(crate) fn answer(endpoint: &str, body: &str, trace: Option<bool>) -> String {
    let body = match body.len() {
        0..=400 => body.into(),
        len => {
            // FNV-1a, which stays the same from one release to the next.
            let sum = body.bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
            let start: String = body.chars().take(60).collect();
            format!("{start}.. ({len} bytes, {sum:016x})")
        }
    };
    let trace = match trace {
        Some(true) => " with a trace",
        Some(false) => " with an empty trace",
        None => "",
    };
    format!("{endpoint} {body}{trace}")
}

/// What differs, in words: of Node, and here.
pub(crate) fn differences(node: &[Seen], here: &[Seen]) -> Vec<(String, String)> {
    let mut differences = Vec::new();
    for (node, here) in node.iter().zip(here) {
        let mut compare = |node: Option<&String>, here: Option<&String>| {
            if let (Some(node), Some(here)) = (node, here)
                && node != here
            {
                differences.push((node.clone(), here.clone()));
            }
        };
        compare(Some(&node.answer), Some(&here.answer));
        compare(node.sent.as_ref(), here.sent.as_ref());
        compare(node.process.as_ref(), here.process.as_ref());
    }
    differences
}
