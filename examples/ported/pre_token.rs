//! `pre_token.js` in Rust: a Cognito trigger that runs before a token is generated. It adds claims,
//! suppresses others, and rejects disabled users.
//!
//! `sed -n 1p examples/ported/pre_token.jsonl | cargo run --example ported_pre_token -- -`

use nodeback::{
    Callback, Context, Error, Result, Value, error, js::Access, json, object, set_timeout, spawn,
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

static LOOKUPS: AtomicU32 = AtomicU32::new(0);

struct User {
    tenant: &'static str,
    roles: &'static [&'static str],
    disabled: Option<&'static str>,
}

fn find_user(name: String, done: impl FnOnce(Option<Error>, Option<User>) + Send + 'static) {
    spawn(async move {
        LOOKUPS.fetch_add(1, Ordering::Relaxed);
        let (tenant, roles, disabled): (_, &[_], _) = match &*name {
            "ada" => ("t-1", &["admin", "clerk"], None),
            "bob" => ("t-2", &[], None),
            "eve" => ("t-2", &["clerk"], Some("since May")),
            _ => {
                let message = format!("User does not exist: {name}");
                return done(Some(Error::new("UserNotFoundException", message)), None);
            }
        };
        #[rustfmt::skip]
        done(None, Some(User { tenant, roles, disabled }));
    });
}

fn find_tenant(id: &'static str, done: impl FnOnce(Option<Error>, Value) + Send + 'static) {
    set_timeout(Duration::from_millis(1), move || {
        let plan = (id == "t-1").then_some("gold");
        done(None, json!({ "id": id, "plan": plan }));
    });
}

pub(crate) fn handler(mut event: Value, context: Context, callback: Callback) -> Result<()> {
    let trigger = event.string("triggerSource.startsWith")?.to_owned();
    if !trigger.starts_with("TokenGeneration_") {
        context.fail(format!("unexpected trigger {trigger}"));
        return Ok(());
    }
    let name = event["userName"].as_str().unwrap_or_default().to_owned();
    find_user(name.clone(), move |error, user| {
        let Some(user) = user else {
            return callback(error, None);
        };
        if let Some(disabled) = user.disabled {
            return callback.fail(error!("{name} is disabled {disabled}"));
        }
        find_tenant(user.tenant, move |error, tenant| {
            if error.is_some() {
                return callback(error, None);
            }
            let refreshes = trigger.ends_with("RefreshTokens");
            let group = |role| format!("{}/{role}", user.tenant);
            let groups: Vec<_> = user.roles.iter().map(group).collect();
            let groups = json!({ "groupsToOverride": groups, "preferredRole": null });
            let details = object! {
                "claimsToAddOrOverride": {
                    "tenant": tenant["id"],
                    "plan": tenant["plan"].as_str().unwrap_or("free"),
                    "roles": user.roles.join(","),
                    "lookups": LOOKUPS.load(Ordering::Relaxed).to_string(),
                },
                "claimsToSuppress": if refreshes { &["email", "phone_number"][..] } else { &[] },
                "groupOverrideDetails"?: (!user.roles.is_empty()).then_some(groups),
            };
            event["response"] = json!({ "claimsOverrideDetails": details });
            callback(None, Some(event));
        });
    });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    nodeback::run(handler).await
}
