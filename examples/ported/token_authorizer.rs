//! `token_authorizer.js` in Rust: a token authorizer for an API Gateway REST API. API Gateway
//! responds with status 401 to the error `Unauthorized`, and with status 500 to any other error.
//!
//! `sed -n 1p examples/ported/token_authorizer.jsonl | cargo run --example ported_token_authorizer -- -`

use nodeback::{Callback, Context, Error, Value, error, json, set_timeout};
use std::time::Duration;

struct Claims {
    user: &'static str,
    scopes: &'static [&'static str],
    expired: bool,
}

fn introspect(token: String, done: impl FnOnce(Option<Error>, Option<Claims>) + Send + 'static) {
    set_timeout(Duration::from_millis(2), move || {
        let (user, scopes, expired): (_, &[_], _) = match &*token {
            "ada-token" => ("ada", &["orders:read", "orders:write"], false),
            "bob-token" => ("bob", &["orders:read"], false),
            "old-token" => ("eve", &[], true),
            "slow-token" => {
                return done(Some(error!("the identity provider does not respond")), None);
            }
            _ => return done(None, None),
        };
        #[rustfmt::skip]
        done(None, Some(Claims { user, scopes, expired }));
    });
}

fn policy(principal: &str, effect: &str, resource: String, context: Value) -> Value {
    json!({
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                { "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource },
            ],
        },
        "context": context,
    })
}

fn bearer(event: &Value) -> Option<&str> {
    let header = event["authorizationToken"].as_str()?;
    let token = header.strip_prefix("Bearer ")?;
    (!token.is_empty() && !token.contains(char::is_whitespace)).then_some(token)
}

pub(crate) fn handler(event: Value, context: Context, callback: Callback) {
    context.set_callback_waits_for_empty_event_loop(false);
    let Some(token) = bearer(&event) else {
        return callback.fail("Unauthorized");
    };

    introspect(token.to_owned(), move |error, claims| {
        if error.is_some() {
            return callback(error, None);
        }
        let Some(claims) = claims.filter(|claims| !claims.expired) else {
            return callback.fail("Unauthorized");
        };
        let arn = event["methodArn"].as_str().unwrap_or_default();
        let mut parts = arn.split('/');
        let [api, stage, method] = [(); 3].map(|()| parts.next().unwrap_or("undefined"));
        let needed = ["orders:write", "orders:read"][usize::from(method == "GET")];
        let effect = ["Deny", "Allow"][usize::from(claims.scopes.contains(&needed))];
        let scopes = json!({ "scopes": claims.scopes.join(" "), "needed": needed });
        let resource = format!("{api}/{stage}/*");
        callback.succeed(policy(claims.user, effect, resource, scopes));
    });
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
