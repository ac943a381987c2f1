//! A pre sign-up trigger of Cognito. It returns the event with a changed `response`, or rejects the
//! sign-up with an error, whose message Cognito shows to the user.
//!
//! `cargo run --example cognito_trigger -- examples/events/cognito_trigger.json`
//!
//! ```js
//! exports.handler = (event, context, callback) => {
//!     const email = event.request.userAttributes.email || '';
//!     if (!email.endsWith('@example.com')) {
//!         return callback(new Error('Sign up with your address at example.com'));
//!     }
//!     event.response.autoConfirmUser = true;
//!     event.response.autoVerifyEmail = true;
//!     callback(null, event);
//! };
//! ```

use nodeback::{Callback, Context, Value, error, json};

fn handler(mut event: Value, _: Context, callback: Callback) {
    let email = event["request"]["userAttributes"]["email"].as_str();
    if !email.is_some_and(|email| email.ends_with("@example.com")) {
        return callback.fail(error!("Sign up with your address at example.com"));
    }
    if let Some(response) = event.get_mut("response").and_then(Value::as_object_mut) {
        response.insert("autoConfirmUser".into(), json!(true));
        response.insert("autoVerifyEmail".into(), json!(true));
    }
    callback(None, Some(event));
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
