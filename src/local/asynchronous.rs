//! Asynchronous invocations, which run once or are retried as AWS retries them.

use super::{
    history::{Client, Entry},
    invoke::{self, ReplyTo, Server},
    output::write,
};
use crate::{
    clock,
    completion::callback,
    error::{Error, Result},
    invocation::{ContextBuilder, Function},
};
use bytes::Bytes;
use futures::future::select;
use serde::Serialize;
use serde_json::value::RawValue;
use std::{io, pin::pin, sync::Arc, time::Duration};
use tokio::time::sleep;

/// How many times AWS runs an asynchronous invocation that fails.
const ATTEMPTS: u32 = 3;

/// The pause after the first attempt. It doubles after the second, as on AWS, where the pauses are
/// one and two minutes.
const PAUSE: Duration = Duration::from_secs(1);

/// An asynchronous invocation.
pub(super) struct Asynchronous {
    pub(super) function: Function,
    pub(super) context: ContextBuilder,
    pub(super) event: Bytes,
    /// The ARN of the version that runs.
    pub(super) version_arn: String,
}

impl Asynchronous {
    /// Starts the invocation in its own task. Returns its entry in the history.
    pub(super) fn start(self, server: &Arc<Server>) -> Entry {
        let entry = self.begin(server, Client::Event);
        let run = self.run(Arc::clone(server), entry.clone());
        server.invocations.spawn_on(run, &server.runtime);
        entry
    }

    fn begin(&self, server: &Server, client: Client) -> Entry {
        server.history.begin(client, &self.context, &self.event)
    }

    async fn run(self, server: Arc<Server>, mut entry: Entry) {
        if !server.retries {
            // The error has been logged.
            let _ = self.attempt(entry).await;
            return;
        }
        let span = self.context.span();
        for attempt in 1..=ATTEMPTS {
            let Err(error) = self.attempt(entry).await else {
                return;
            };
            if attempt == ATTEMPTS {
                span.in_scope(|| {
                    tracing::error!(
                        "the asynchronous invocation failed {ATTEMPTS} times: the record that AWS \
                         would send to the function's on-failure destination is on standard output"
                    );
                });
                let record = self.record(&error);
                write(&mut io::stdout(), format!("{record}\n").as_bytes());
                return;
            }
            let (next, pause) = (attempt + 1, PAUSE * attempt);
            span.in_scope(|| {
                tracing::warn!(
                    "the asynchronous invocation failed: attempt {next} of {ATTEMPTS} follows in {pause:?}"
                );
            });
            select(pin!(sleep(pause)), pin!(server.stopping.cancelled())).await;
            entry = self.begin(&server, Client::Retry);
        }
    }

    async fn attempt(&self, entry: Entry) -> Result<Bytes> {
        let (callback, completion) = callback();
        let run = invoke::run(
            self.function.clone(),
            self.context.clone(),
            self.event.clone(),
            ReplyTo::Client {
                callback,
                accepts_streams: false,
            },
            entry,
        );
        run.await;
        completion.await?.unwrap_or_default().whole()
    }

    /// Returns the record that AWS sends for an invocation whose attempts have all failed.
    fn record(&self, error: &Error) -> String {
        let response = error.to_json();
        let members = self.context.members();
        let record = Record {
            version: "1.0",
            timestamp: humantime::format_rfc3339_millis(clock::now()).to_string(),
            request_context: RequestContext {
                request_id: &members.aws_request_id,
                function_arn: &self.version_arn,
                condition: "RetriesExhausted",
                approximate_invoke_count: ATTEMPTS,
            },
            request_payload: serde_json::from_slice(&self.event).ok(),
            response_context: ResponseContext {
                status_code: 200,
                executed_version: &members.function_version,
                function_error: "Unhandled",
            },
            response_payload: serde_json::from_str(&response).ok(),
        };
        // The record contains only strings, numbers and parsed JSON, whose serialization does not
        // fail.
        serde_json::to_string(&record).unwrap_or_default()
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'static str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Option<&'a RawValue>,
    response_context: ResponseContext<'a>,
    response_payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: &'static str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    function_error: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        invocation::{Context, Functions},
        local::{LocalSettings, host::OwnHosts},
    };
    use parking_lot::Mutex;
    use std::net::{Ipv4Addr, SocketAddr};
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    /// Runs a handler whose first `failures` attempts fail, and returns the seconds at which it was
    /// called.
    async fn entered(failures: usize, enabled: bool, stopped: bool) -> Vec<u64> {
        let stopping = CancellationToken::new();
        if stopped {
            stopping.cancel();
        }
        let settings = LocalSettings {
            retry: enabled,
            ..LocalSettings::default()
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (functions, hosts) = (Functions::default(), OwnHosts::new(address, Vec::new()));
        let server = Server::new(functions, &settings, hosts, Default::default(), stopping);
        let server = Arc::new(server.unwrap());
        let started = Instant::now();
        let seconds = Arc::<Mutex<Vec<u64>>>::default();
        let entered = Arc::clone(&seconds);
        let handler = move |event: u64, context: Context| {
            let mut entered = entered.lock();
            entered.push(started.elapsed().as_secs());
            assert_eq!((event, context.aws_request_id.as_str()), (7, "id"));
            match entered.len() {
                attempt if attempt <= failures => context.fail("busy"),
                _ => context.succeed("done"),
            }
        };
        let invocation = Asynchronous {
            function: Function::new(handler),
            context: Context::builder().aws_request_id("id"),
            event: Bytes::from_static(b"7"),
            version_arn: String::new(),
        };
        invocation.start(&server);
        server.invocations.close();
        server.invocations.wait().await;
        let clients = (1..).map_while(|n| server.history.read(n, |record| record.client));
        let clients: Vec<_> = clients.collect();
        let (first, rest) = clients.split_first().unwrap();
        assert_eq!(*first, Client::Event);
        assert!(rest.iter().all(|client| *client == Client::Retry));
        let seconds = seconds.lock().clone();
        assert_eq!(clients.len(), seconds.len());
        seconds
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_retried_after_one_second_and_after_two() {
        assert_eq!(entered(0, true, false).await, [0]);
        assert_eq!(entered(1, true, false).await, [0, 1]);
        assert_eq!(entered(2, true, false).await, [0, 1, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_retries_at_once() {
        assert_eq!(entered(2, true, true).await, [0, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_retried_unless_retries_are_enabled() {
        assert_eq!(entered(1, false, false).await, [0]);
    }
}
