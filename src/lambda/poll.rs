//! Polls the Runtime API for events.

use super::{
    backoff::Backoff,
    client::{Client, full},
    event::PolledEvent,
    post::{self, describe, is_transient},
    stopped,
};
use crate::{error::Result, invocation::ContextBuilder};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How long polling is retried while it fails: `OUTAGE` if the Runtime API has worked before, and
/// `NEVER_SEEN` if it never has, since its address may be wrong.
const OUTAGE: Duration = Duration::from_secs(30);
const NEVER_SEEN: Duration = Duration::from_secs(3);

/// How long the body of a rejection may take.
const BODY: Duration = Duration::from_secs(5);

/// Polls the Runtime API, and remembers whether that has ever worked.
#[derive(Debug, Default)]
pub(super) struct Poller {
    seen: AtomicBool,
}

/// The result of one poll.
enum Polled {
    Event(Box<PolledEvent>),
    /// There was no event while the API waited, as some emulators report.
    None,
    /// The API may work again in a moment.
    Failed(String),
    /// The API is not going to work again.
    Stop(String),
}

impl Poller {
    /// Waits for the next event, however long that takes.
    ///
    /// # Errors
    ///
    /// The reason why the process has to exit.
    pub(super) async fn next(
        &self,
        client: &Client,
        context: &ContextBuilder,
    ) -> Result<PolledEvent> {
        let mut backoff = Backoff::new();
        loop {
            match poll(client, context).await {
                Polled::Event(event) => {
                    self.seen.store(true, Ordering::Relaxed);
                    if backoff.attempts > 0 {
                        tracing::info!(
                            "the Runtime API is back, after {} attempts",
                            backoff.attempts
                        );
                    }
                    return Ok(*event);
                }
                Polled::None => {
                    self.seen.store(true, Ordering::Relaxed);
                    backoff = Backoff::new();
                    backoff.pause(OUTAGE).await;
                }
                Polled::Stop(why) => return Err(stopped(why)),
                Polled::Failed(why) => {
                    if backoff.attempts == 0 {
                        tracing::warn!("polling for the next event failed and is retried: {why}");
                    }
                    let seen = self.seen.load(Ordering::Relaxed);
                    if !backoff.pause(if seen { OUTAGE } else { NEVER_SEEN }).await {
                        let attempts = backoff.attempts;
                        return Err(stopped(format!("{why} (after {attempts} attempts)")));
                    }
                }
            }
        }
    }
}

async fn poll(client: &Client, context: &ContextBuilder) -> Polled {
    let request = client.request(Method::GET, &["/invocation/next"], full(Bytes::new()));
    // The API holds the request until there is an event, so there is no time limit.
    let reply = match request {
        Ok(request) => client.call(request).await,
        Err(error) => Err(error.into()),
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Polled::Failed(describe(&*error)),
    };
    match reply.status() {
        StatusCode::OK => match PolledEvent::read(reply, context).await {
            Ok(event) => Polled::Event(Box::new(event)),
            Err(why) => Polled::Failed(why),
        },
        StatusCode::NO_CONTENT => Polled::None,
        status => {
            let why = match client.within(BODY, post::read_reply(reply)).await {
                Some(Ok((status, body))) => post::rejection(status, &body),
                Some(Err(error)) => {
                    format!("the Runtime API responded with {status}, then: {error}")
                }
                None => format!(
                    "the Runtime API responded with {status}, and the rest did not arrive within \
                     {} s",
                    BODY.as_secs()
                ),
            };
            if is_transient(status) {
                Polled::Failed(why)
            } else {
                Polled::Stop(why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    #[tokio::test(start_paused = true)]
    async fn a_rejection_whose_body_never_arrives_still_counts() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n";
            stream.write_all(head).await.unwrap();
            // Until the client closes the connection.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let client = Client::new(format!("http://{address}").parse().unwrap());
        match poll(&client, &crate::Context::builder()).await {
            Polled::Stop(why) => assert!(why.ends_with("did not arrive within 5 s"), "{why}"),
            _ => panic!("a 403 stops the function"),
        }
        served.await.unwrap();
    }
}
