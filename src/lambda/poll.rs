//! Asking the Runtime API for events.

use super::{
    answer::{self, API, describe, passes},
    backoff::Backoff,
    event::Event,
    stopped,
};
use crate::{Result, invocation::ContextBuilder};
use http::{Method, StatusCode};
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How long it is asked again while it fails: one that has handed an event out, and one that
/// never has, whose address may be wrong.
const OUTAGE: Duration = Duration::from_secs(30);
const NEVER_THERE: Duration = Duration::from_secs(3);

/// Whether it has ever replied.
#[derive(Debug, Default)]
pub(super) struct Poll {
    seen: AtomicBool,
}

/// What came of asking once.
enum Asked {
    Event(Box<Event>),
    /// There was none in the time that the API waits, as some emulators say.
    None,
    /// It may be there again in a moment.
    Failed(String),
    /// It is not going to be.
    Stop(String),
}

impl Poll {
    /// The next event, however long that takes.
    ///
    /// # Errors
    ///
    /// Why the process has to exit.
    pub(super) async fn next(
        &self,
        client: &PooledClient,
        context: &ContextBuilder,
    ) -> Result<Event> {
        let mut backoff = Backoff::new();
        loop {
            match ask(client, context).await {
                Asked::Event(event) => {
                    self.seen.store(true, Ordering::Relaxed);
                    if backoff.attempts > 0 {
                        tracing::info!(
                            "the Runtime API is back, after {} attempts",
                            backoff.attempts
                        );
                    }
                    return Ok(*event);
                }
                Asked::None => {
                    self.seen.store(true, Ordering::Relaxed);
                    backoff = Backoff::new();
                    backoff.pause(OUTAGE).await;
                }
                Asked::Stop(why) => return Err(stopped(why)),
                Asked::Failed(why) => {
                    if backoff.attempts == 0 {
                        tracing::warn!("no event, which is asked for again: {why}");
                    }
                    let seen = self.seen.load(Ordering::Relaxed);
                    if !backoff.pause(if seen { OUTAGE } else { NEVER_THERE }).await {
                        let attempts = backoff.attempts;
                        return Err(stopped(format!("{why} (after {attempts} attempts)")));
                    }
                }
            }
        }
    }
}

async fn ask(client: &PooledClient, context: &ContextBuilder) -> Asked {
    let request = build_request()
        .method(Method::GET)
        .uri(format!("{API}/invocation/next"))
        .body(Body::empty());
    // It is held until there is an event, so it has no time limit.
    let reply = match request {
        Ok(request) => client.call(request).await,
        Err(error) => Err(error.into()),
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Asked::Failed(describe(&*error)),
    };
    match reply.status() {
        StatusCode::OK => match Event::read(reply, context).await {
            Ok(event) => Asked::Event(Box::new(event)),
            Err(why) => Asked::Failed(why),
        },
        StatusCode::NO_CONTENT => Asked::None,
        status => {
            let why = match answer::said(reply).await {
                Ok((_, why)) => why,
                Err(error) => format!("the Runtime API answered {status}, then: {error}"),
            };
            if passes(status) {
                Asked::Failed(why)
            } else {
                Asked::Stop(why)
            }
        }
    }
}
