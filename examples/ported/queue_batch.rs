//! `queue_batch.js` in Rust: processes a batch of messages from an SQS queue. It reports the
//! messages that failed, so that only these are delivered again. If all of them failed, it fails
//! the whole batch.
//!
//! `sed -n 2p examples/ported/queue_batch.jsonl | cargo run --example ported_queue_batch -- -`

use nodeback::{Callback, Context, Error, Result, Value, error, js, js::Access, json, set_timeout};
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

fn ship(order: Value, done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static) {
    let id = order["id"].as_u64().unwrap_or(0);
    set_timeout(Duration::from_millis(id % 3), move || {
        if order["address"] == "nowhere" {
            return done(Some(error!("no such address")), None);
        }
        done(None, Some(json!({ "tracking": format!("T{id}") })));
    });
}

fn work(record: &Value, done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static) {
    let message_id = js::to_string(record.get("messageId"));
    let Ok(order) = js::parse(js::to_string(record.get("body"))) else {
        return done(Some(error!("{message_id} is not JSON")), None);
    };
    if SEEN.lock().unwrap().contains(&message_id) {
        return done(None, Some(json!({ "skipped": true })));
    }
    let id = js::to_string(order.get("id"));
    ship(order, move |error, shipped| {
        if let Some(error) = error {
            return done(Some(error!("order {id}: {}", error.message())), None);
        }
        SEEN.lock().unwrap().insert(message_id);
        done(None, shipped);
    });
}

#[derive(Default)]
struct State {
    failed: HashSet<String>,
    left: usize,
    last: Option<Error>,
}

fn end(records: &[Value], state: &State, callback: &Callback) {
    let State { failed, last, .. } = state;
    if records.len() > 1 && failed.len() == records.len() {
        let last = last.as_ref().map_or("", Error::message);
        let message = format!("all {} failed, such as: {last}", failed.len());
        return callback(Some(Error::new("BatchFailed", message)), None);
    }
    let ids = records
        .iter()
        .map(|record| js::to_string(record.get("messageId")));
    let failures = ids
        .filter(|id| failed.contains(id))
        .map(|id| json!({ "itemIdentifier": id }));
    let failures: Vec<_> = failures.collect();
    callback(None, Some(json!({ "batchItemFailures": failures })));
}

pub(crate) fn handler(event: Value, _: Context, callback: Callback) -> Result<()> {
    let records = Arc::new(event.array("Records.length")?.clone());
    let left = records.len();
    let state = State {
        left,
        ..State::default()
    };
    if left == 0 {
        end(&records, &state, &callback);
    }
    let state = Arc::new(Mutex::new(state));
    for record in &*records {
        let (records, state, callback) =
            (Arc::clone(&records), Arc::clone(&state), callback.clone());
        let id = js::to_string(record.get("messageId"));
        work(record, move |error, _| {
            let mut state = state.lock().unwrap();
            if error.is_some() {
                state.failed.insert(id);
                state.last = error;
            }
            state.left -= 1;
            if state.left == 0 {
                end(&records, &state, &callback);
            }
        });
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    nodeback::run(handler).await
}
