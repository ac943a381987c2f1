//! The last invocations of the local server, of any client, for its page.

mod client;
mod record;
mod sent;

pub(super) use self::{
    client::Client,
    record::{Body, Outcome, Record, Streamed},
};

use crate::{
    error::Error,
    invocation::{ContextBuilder, timeline::Recorder},
};
use axum::http::Response;
use bytes::Bytes;
use parking_lot::Mutex;
use record::Summary;
use sent::Sent;
use serde::Serialize;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How many invocations are kept.
pub(super) const INVOCATIONS: usize = 500;

/// How many bytes their events, outcomes, logs and timelines may take together.
pub(super) const BYTES: usize = 32 * 1024 * 1024;

/// The last invocations. When there are too many, or they are too large, the oldest ones are
/// removed.
pub(super) struct History {
    state: Mutex<State>,
    /// Notifies of each change, with the number of changes so far.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    records: VecDeque<Record>,
    /// The number of invocations so far.
    count: u64,
    changes: u64,
    bytes: usize,
}

/// The invocations that have changed since a client last asked.
#[derive(Serialize)]
pub(super) struct Changes {
    /// The number of the oldest invocation that is kept.
    first: u64,
    /// The number of changes.
    #[serde(skip)]
    pub(super) seen: u64,
    invocations: Vec<Summary>,
}

impl Default for History {
    fn default() -> Self {
        History {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl History {
    /// Adds an invocation that starts now.
    pub(super) fn begin(
        self: &Arc<Self>,
        client: Client,
        context: &ContextBuilder,
        event: &Bytes,
    ) -> Entry {
        let mut state = self.state.lock();
        state.count += 1;
        let n = state.count;
        let record = Record::new(n, client, context.clone(), event.clone());
        state.bytes += record.bytes();
        state.records.push_back(record);
        self.change(&mut state, n);
        Entry {
            history: Arc::clone(self),
            n,
        }
    }

    /// Reads an invocation, if it is still kept.
    pub(super) fn read<T>(&self, n: u64, read: impl FnOnce(&Record) -> T) -> Option<T> {
        self.state.lock().find(n).map(|record| read(record))
    }

    /// Returns what has changed since a number of changes.
    pub(super) fn since(&self, seen: u64) -> Changes {
        let state = self.state.lock();
        let changed = state.records.iter().filter(|record| record.changed > seen);
        Changes {
            first: state.count - state.records.len() as u64 + 1,
            seen: state.changes,
            invocations: changed.map(Record::summary).collect(),
        }
    }

    /// Returns a receiver of the number of changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn update(&self, n: u64, update: impl FnOnce(&mut Record)) {
        let mut state = self.state.lock();
        let Some(record) = state.find(n) else {
            return;
        };
        let before = record.bytes();
        update(record);
        let after = record.bytes();
        state.bytes = state.bytes - before + after;
        self.change(&mut state, n);
    }

    fn change(&self, state: &mut State, n: u64) {
        state.changes += 1;
        let changes = state.changes;
        if let Some(record) = state.find(n) {
            record.changed = changes;
        }
        while state.records.len() > INVOCATIONS || state.bytes > BYTES {
            let Some(oldest) = state.records.pop_front() else {
                break;
            };
            state.bytes -= oldest.bytes();
        }
        self.changed.send_replace(changes);
    }
}

impl State {
    /// Finds a record by its number. The numbers are consecutive, so the first one gives the index.
    fn find(&mut self, n: u64) -> Option<&mut Record> {
        let first = self.records.front()?.n;
        let index = usize::try_from(n.checked_sub(first)?).ok()?;
        self.records.get_mut(index)
    }
}

/// An invocation in the history, for the code that runs it and for the code that sends its outcome.
#[derive(Clone)]
pub(super) struct Entry {
    history: Arc<History>,
    pub(super) n: u64,
}

impl Entry {
    /// Records the outcome, and the memory that was used in MB, if it is known.
    pub(super) fn ended(
        &self,
        outcome: Result<Body, &Error>,
        took: Duration,
        memory_used: Option<u64>,
    ) {
        self.history
            .update(self.n, |record| record.ended(outcome, took, memory_used));
    }

    /// Attaches the invocation to its HTTP response, whose headers are recorded when it is sent.
    pub(super) fn attach_to<B>(self, mut response: Response<B>) -> Response<B> {
        response.extensions_mut().insert(self);
        response
    }

    /// Records the status and the headers of the HTTP response, which is about to be sent.
    pub(super) fn sends<B>(&self, response: &Response<B>) {
        let sent = Sent::of(response);
        self.history.update(self.n, |record| record.sent(sent));
    }

    /// Records that the invocation is over: its environment would poll for the next event.
    pub(super) fn over(&self, recorder: &Recorder) {
        let timeline = recorder.timeline();
        self.history.update(self.n, |record| record.over(timeline));
    }

    /// Sets the recorder of the timeline, which shows an invocation while it runs.
    pub(super) fn records(&self, recorder: Arc<Recorder>) {
        self.history
            .update(self.n, |record| record.records(recorder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Context;
    use axum::http::HeaderValue;

    fn begin(history: &Arc<History>, size: usize) -> Entry {
        let event = Bytes::from(vec![b'1'; size]);
        history.begin(Client::Invoke, &Context::builder(), &event)
    }

    fn kept(history: &History) -> Vec<u64> {
        let state = history.state.lock();
        let bytes: usize = state.records.iter().map(Record::bytes).sum();
        assert_eq!(state.bytes, bytes);
        state.records.iter().map(|record| record.n).collect()
    }

    #[test]
    fn the_oldest_are_removed_when_there_are_too_many() {
        let history = Arc::new(History::default());
        for _ in 0..INVOCATIONS + 2 {
            begin(&history, 1);
        }
        let expected: Vec<_> = (3..=INVOCATIONS as u64 + 2).collect();
        assert_eq!(kept(&history), expected);
        assert!(history.read(2, |_| ()).is_none());
        assert!(history.read(3, |_| ()).is_some());
        assert!(history.read(0, |_| ()).is_none());
        assert!(history.read(u64::MAX, |_| ()).is_none());
    }

    #[test]
    fn the_oldest_are_removed_when_they_are_too_large() {
        let history = Arc::new(History::default());
        let first = begin(&history, BYTES / 4);
        let second = begin(&history, BYTES / 4);
        assert_eq!(kept(&history), [1, 2]);
        // A response counts too, even that of the oldest invocation, which may be removed for it.
        let large = || Body::whole(&vec![b'1'; BYTES / 2]);
        second.ended(Ok(large()), Duration::ZERO, None);
        assert_eq!(kept(&history), [2]);
        first.ended(Ok(large()), Duration::ZERO, None);
        assert_eq!(kept(&history), [2]);
        begin(&history, BYTES);
        assert_eq!(kept(&history), [0; 0]);
        // The numbers continue.
        let last = begin(&history, 1);
        assert_eq!((last.n, kept(&history)), (4, vec![4]));
        // Headers count too, once.
        let value = HeaderValue::from_bytes(&[b'v'; 500]).unwrap();
        let mut response = Response::new(());
        response.headers_mut().insert("x-long", value);
        let before = history.state.lock().bytes;
        last.sends(&response);
        last.sends(&response);
        assert_eq!(kept(&history), [4]);
        let added = history.state.lock().bytes - before;
        assert!((500..1_000).contains(&added), "{added}");
    }

    #[test]
    fn a_client_receives_what_has_changed_since_its_last_request() {
        let history = Arc::new(History::default());
        let first = begin(&history, 1);
        let numbers = |changes: &Changes| {
            let invocations = changes.invocations.iter();
            invocations.map(|summary| summary.n).collect::<Vec<_>>()
        };
        let mut receiver = history.changes();
        let all = history.since(0);
        assert_eq!((all.first, numbers(&all)), (1, vec![1]));
        begin(&history, 1);
        assert!(receiver.has_changed().unwrap());
        let next = history.since(all.seen);
        assert_eq!(numbers(&next), [2]);
        first.ended(Err(&Error::new("E", "m")), Duration::ZERO, None);
        assert_eq!(numbers(&history.since(next.seen)), [1]);
        assert_eq!(*receiver.borrow_and_update(), 3);
    }
}
