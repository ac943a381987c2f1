//! `pre_token.js` in Rust: a Cognito trigger before a token is generated, which adds claims, hides
//! some, and keeps disabled users out.
//!
//! `jq '.[0]' examples/ported/pre_token.json | cargo run --example ported_pre_token -- -`

use nodeback::{Callback, Context, Error, Value, error, json};
use serde::Serialize;
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

struct Tenant {
    id: &'static str,
    plan: Option<&'static str>,
}

/// A struct where the original has a member that may be `undefined`, and then is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    claims_to_add_or_override: Value,
    claims_to_suppress: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    group_override_details: Option<Value>,
}

fn find_user(name: String, done: impl FnOnce(Option<Error>, Option<User>) + Send + 'static) {
    tokio::spawn(async move {
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
        done(
            None,
            Some(User {
                tenant,
                roles,
                disabled,
            }),
        );
    });
}

fn find_tenant(id: &'static str, done: impl FnOnce(Option<Error>, Tenant) + Send + 'static) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let plan = (id == "t-1").then_some("gold");
        done(None, Tenant { id, plan });
    });
}

pub(crate) fn handler(mut event: Value, context: Context, callback: Callback) {
    let trigger = event["triggerSource"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if !trigger.starts_with("TokenGeneration_") {
        return context.fail(format!("unexpected trigger {trigger}"));
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
            let groups: Vec<_> = user
                .roles
                .iter()
                .map(|role| format!("{}/{role}", tenant.id))
                .collect();
            let details = Details {
                claims_to_add_or_override: json!({
                    "tenant": tenant.id,
                    "plan": tenant.plan.unwrap_or("free"),
                    "roles": user.roles.join(","),
                    "lookups": LOOKUPS.load(Ordering::Relaxed).to_string(),
                }),
                claims_to_suppress: if trigger.ends_with("RefreshTokens") {
                    &["email", "phone_number"]
                } else {
                    &[]
                },
                group_override_details: (!groups.is_empty())
                    .then(|| json!({ "groupsToOverride": groups, "preferredRole": null })),
            };
            event["response"] = json!({ "claimsOverrideDetails": details });
            callback(None, Some(event));
        });
    });
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
