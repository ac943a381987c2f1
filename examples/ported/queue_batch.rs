//! `queue_batch.js` in Rust: a batch of an SQS queue. Only what failed comes again, unless all of
//! it did.
//!
//! `jq '.[1]' examples/ported/queue_batch.json | cargo run --example ported_queue_batch -- -`

use nodeback::{Callback, Context, Error, Value, error, json};
use serde::Deserialize;
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Batch {
    records: Vec<Record>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
}

#[derive(Deserialize)]
struct Order {
    id: u64,
    address: String,
}

fn ship(order: Order, done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(order.id % 3)).await;
        if order.address == "nowhere" {
            return done(Some(error!("no such address")), None);
        }
        done(None, Some(json!({ "tracking": format!("T{}", order.id) })));
    });
}

fn work(record: Record, done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static) {
    let Record { message_id, body } = record;
    let Ok(order) = serde_json::from_str::<Order>(&body) else {
        return done(Some(error!("{message_id} is no JSON")), None);
    };
    if SEEN.lock().unwrap().contains(&message_id) {
        return done(None, Some(json!({ "skipped": true })));
    }
    let id = order.id;
    ship(order, move |error, shipped| {
        if let Some(error) = error {
            return done(Some(error!("order {id}: {}", error.message())), None);
        }
        SEEN.lock().unwrap().insert(message_id);
        done(None, shipped);
    });
}

struct State {
    records: Vec<Record>,
    failed: HashSet<String>,
    left: usize,
    last: Option<Error>,
}

impl State {
    fn end(&self, callback: &Callback) {
        let (records, failed) = (&self.records, &self.failed);
        if records.len() > 1 && failed.len() == records.len() {
            let last = self.last.as_ref().map_or("", Error::message);
            let message = format!("all {} failed, such as: {last}", failed.len());
            return callback(Some(Error::new("BatchFailed", message)), None);
        }
        let failures: Vec<_> = records
            .iter()
            .filter(|record| failed.contains(&record.message_id))
            .map(|record| json!({ "itemIdentifier": record.message_id }))
            .collect();
        callback(None, Some(json!({ "batchItemFailures": failures })));
    }
}

pub(crate) fn handler(Batch { records }: Batch, _: Context, callback: Callback) {
    let state = State {
        records: records.clone(),
        failed: HashSet::new(),
        left: records.len(),
        last: None,
    };
    if state.left == 0 {
        return state.end(&callback);
    }
    let state = Arc::new(Mutex::new(state));
    for record in records {
        let (state, callback) = (Arc::clone(&state), callback.clone());
        let id = record.message_id.clone();
        work(record, move |error, _| {
            let mut state = state.lock().unwrap();
            if error.is_some() {
                state.failed.insert(id);
                state.last = error;
            }
            state.left -= 1;
            if state.left == 0 {
                state.end(&callback);
            }
        });
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
