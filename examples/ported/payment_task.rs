//! `payment_task.js` in Rust: a task of a Step Functions state machine, whose Retry and Catch match
//! on the name of an error.
//!
//! `jq '.[2]' examples/ported/payment_task.json | cargo run --example ported_payment_task -- -`

use nodeback::{Callback, Context, Error, IntoError, Value, json};
use std::{
    collections::HashMap,
    fmt,
    sync::{LazyLock, Mutex},
    time::Duration,
};

/// Its short name is its name on the wire.
#[derive(Debug)]
struct InvalidRequest(String);

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidRequest {}

#[derive(Debug)]
struct CardDeclined {
    reason: &'static str,
}

impl fmt::Display for CardDeclined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the card was declined: {}", self.reason)
    }
}

impl std::error::Error for CardDeclined {}

/// What the gateway's client may fail with.
enum Failure {
    Declined(CardDeclined),
    Refused(Error),
}

#[derive(Clone)]
struct Charge {
    id: String,
    cents: Value,
}

#[derive(Default)]
struct State {
    payments: HashMap<String, Charge>,
    calls: u32,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

fn text<'a>(event: &'a Value, member: &str) -> &'a str {
    event[member].as_str().unwrap_or_default()
}

async fn gateway(event: &Value) -> Result<Charge, Failure> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut state = STATE.lock().unwrap();
    state.calls += 1;
    let declined = |reason| Err(Failure::Declined(CardDeclined { reason }));
    match text(event, "card") {
        card if card.ends_with("0002") => declined("insufficient_funds"),
        card if card.ends_with("0069") => declined("expired_card"),
        card if card.ends_with("0119") => Err(Failure::Refused(Error::msg("connect ECONNREFUSED"))),
        _ => Ok(Charge {
            id: format!("ch_{}", state.calls),
            cents: event["cents"].clone(),
        }),
    }
}

fn check(event: &Value) -> Result<(), InvalidRequest> {
    for member in ["order", "card", "cents"] {
        if event.get(member).is_none() {
            return Err(InvalidRequest(format!("{member} is missing")));
        }
    }
    match event["cents"].as_i64() {
        Some(cents @ ..=0) => Err(InvalidRequest(format!("{cents} cents cannot be paid"))),
        _ => Ok(()),
    }
}

async fn pay(event: &Value) -> Result<(Charge, bool), Error> {
    let order = text(event, "order");
    let earlier = STATE.lock().unwrap().payments.get(order).cloned();
    if let Some(charge) = earlier {
        return Ok((charge, true));
    }
    let charge = gateway(event).await.map_err(|failure| match failure {
        Failure::Declined(error) => error.into_error(),
        Failure::Refused(error) => {
            let message = format!("the gateway cannot be reached: {error}");
            Error::new("GatewayUnavailable", message).with_cause(error)
        }
    })?;
    let mut state = STATE.lock().unwrap();
    state.payments.insert(order.to_owned(), charge.clone());
    Ok((charge, false))
}

pub(crate) fn handler(event: Value, context: Context, callback: Callback) -> Result<(), Error> {
    check(&event)?;
    if event["dryRun"] == true {
        callback(
            None,
            Some(json!({ "order": event["order"], "status": "checked" })),
        );
        return Ok(());
    }
    context.spawn(async move {
        callback.settle(pay(&event).await.map(|(charge, repeated)| {
            let mut paid = json!({
                "order": event["order"],
                "status": "paid",
                "charge": charge.id,
                "cents": charge.cents,
            });
            // Where it is `undefined` in the original, it is left out.
            if repeated {
                paid["repeated"] = json!(true);
            }
            paid
        }));
    });
    Ok(())
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
