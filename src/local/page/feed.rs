//! The list of invocations as server-sent events: first all of them, and then the changes.

use crate::local::{
    configuration::new_id,
    history::{Changes, History},
    invoke::Server,
    rejection::Rejection,
};
use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{
    future::{Either, select},
    stream,
};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// The maximum number of open pages.
pub(in crate::local) const PAGES: usize = 32;

/// The pause between two events, so that many invocations cause few events.
const PAUSE: Duration = Duration::from_millis(50);

/// The interval of comments, which keep the connection in use: only a failed write shows that a
/// page was closed.
const ALIVE: Duration = Duration::from_secs(1);

pub(super) async fn invocations(State(server): State<Arc<Server>>) -> Response<Body> {
    let Ok(permit) = Arc::clone(&server.pages).try_acquire_owned() else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let message = format!("{PAGES} pages are open already");
        return Rejection::new(status, "ServiceException", message).respond(&new_id());
    };
    let feed = Feed {
        changes: server.history.changes(),
        history: Arc::clone(&server.history),
        stopping: server.stopping.clone(),
        seen: None,
        _permit: permit,
    };
    let events = stream::unfold(feed, async |mut feed| {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(ALIVE))
        .into_response()
}

struct Feed {
    history: Arc<History>,
    changes: watch::Receiver<u64>,
    stopping: CancellationToken,
    /// The number of changes that the client has seen, or `None` before its first event.
    seen: Option<u64>,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// Returns the next event, or `None` when the server stops. A slow client misses nothing, since
    /// an event contains everything that has changed since the previous one.
    async fn next(&mut self) -> Option<Event> {
        let name = match self.seen {
            // After a restart of the server, the page drops what it has.
            None => "all",
            Some(_) => {
                self.wait().await?;
                "changed"
            }
        };
        self.changes.mark_unchanged();
        let changes: Changes = self.history.since(self.seen.unwrap_or(0));
        self.seen = Some(changes.seen);
        let json = serde_json::to_string(&changes).ok()?;
        Some(Event::default().event(name).data(json))
    }

    async fn wait(&mut self) -> Option<()> {
        let changed = pin!(async {
            sleep(PAUSE).await;
            self.changes.changed().await
        });
        match select(pin!(self.stopping.cancelled()), changed).await {
            Either::Left(_) => None,
            Either::Right((changed, _)) => changed.ok(),
        }
    }
}
