//! `payment_task.js` in Rust: a task in a Step Functions state machine, whose `Retry` and `Catch`
//! fields match the name of an error.
//!
//! `sed -n 3p examples/ported/payment_task.jsonl | cargo run --example ported_payment_task -- -`

use nodeback::{
    Callback, Context, Error, Result, Value, callbackify, error, js, js::Access, json, object,
    spawn,
};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
    time::Duration,
};

#[derive(Default)]
struct State {
    /// The id of the charge and the amount, by order.
    payments: HashMap<String, (String, Value)>,
    calls: u32,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

fn invalid_request(message: String) -> Error {
    Error::new("InvalidRequest", message)
}

fn card_declined(reason: &str) -> Error {
    let message = format!("the card was declined: {reason}");
    Error::new("CardDeclined", message).with_member("reason", reason)
}

async fn gateway(event: &Value) -> Result<(String, Value)> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut state = STATE.lock().unwrap();
    state.calls += 1;
    match event.string("card.endsWith")? {
        card if card.ends_with("0002") => Err(card_declined("insufficient_funds")),
        card if card.ends_with("0069") => Err(card_declined("expired_card")),
        card if card.ends_with("0119") => {
            Err(error!("connect ECONNREFUSED").with_code("ECONNREFUSED"))
        }
        _ => Ok((format!("ch_{}", state.calls), event["cents"].clone())),
    }
}

fn check(event: &Value) -> Result<()> {
    for member in ["order", "card", "cents"] {
        if event.get(member).is_none() {
            return Err(invalid_request(format!("{member} is missing")));
        }
    }
    match event["cents"].as_f64() {
        Some(cents) if cents <= 0.0 => {
            let cents = js::number_to_string(cents);
            Err(invalid_request(format!("{cents} cents cannot be paid")))
        }
        _ => Ok(()),
    }
}

async fn pay(event: Value) -> Result<Value> {
    let order = js::to_string(&event["order"]);
    let earlier = STATE.lock().unwrap().payments.get(&order).cloned();
    let repeated = earlier.is_some().then_some(true);
    let (id, cents) = match earlier {
        Some(payment) => payment,
        None => gateway(&event).await.map_err(|err| match err.code() {
            Some("ECONNREFUSED") => {
                let message = format!("the gateway cannot be reached: {err}");
                Error::new("GatewayUnavailable", message).with_cause(err)
            }
            _ => err,
        })?,
    };
    let payment = (id.clone(), cents.clone());
    STATE.lock().unwrap().payments.insert(order, payment);
    let order = &event["order"];
    Ok(
        object! { "order": order, "status": "paid", "charge": id, "cents": cents, "repeated"?: repeated },
    )
}

pub(crate) fn handler(event: Value, _: Context, callback: Callback) -> Result<()> {
    check(&event)?;
    if js::is_truthy(event.get("dryRun")) {
        let checked = json!({ "order": event["order"], "status": "checked" });
        callback(None, Some(checked));
        return Ok(());
    }
    spawn(callbackify(pay(event), callback));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    nodeback::run(handler).await
}
