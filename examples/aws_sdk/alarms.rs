//! `alarms.js` in Rust: forwards CloudWatch alarms with a token. KMS has encrypted the token, which
//! is decrypted once.

use aws_sdk_kms::{Client, primitives::Blob};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use nodeback::{Callback, Context, Result, Value, error, js, js::Access, json, spawn_then};
use std::sync::OnceLock;

static TOKEN: OnceLock<String> = OnceLock::new();

fn forward(token: &str, event: &Value, callback: &Callback) -> Result<()> {
    let records = event.array("Records")?;
    let alarm = js::parse(records.first().member("Sns")?.string("Message")?)?;
    let text = |name: &str| js::to_string(alarm.get(name));
    callback(
        None,
        Some(json!({
            "authorization": format!("Bearer {token}"),
            "text": format!("{} is {}", text("AlarmName"), text("NewStateValue")),
        })),
    );
    Ok(())
}

pub(crate) fn handler(kms: &Client, event: Value, callback: Callback) -> Result<()> {
    if let Some(token) = TOKEN.get() {
        return forward(token, &event, &callback);
    }
    let encrypted = BASE64
        .decode(event.string("encryptedToken")?)
        .map_err(|_| error!("the token is not base64"))?;
    let key_id = event["keyId"].as_str().map(String::from);
    let decrypt = kms
        .decrypt()
        .ciphertext_blob(Blob::new(encrypted))
        .set_key_id(key_id);
    spawn_then(decrypt.send(), move |err, data| -> Result<()> {
        if let Some(err) = err {
            tracing::info!("Decrypt error: {err}");
            callback.fail(err);
            return Ok(());
        }
        let plaintext = data
            .and_then(|data| data.plaintext)
            .map(Blob::into_inner)
            .unwrap_or_default();
        let token = TOKEN.get_or_init(|| String::from_utf8_lossy(&plaintext).into_owned());
        forward(token, &event, &callback)
    });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let kms = Client::new(&aws_config::load_from_env().await);
    let handler =
        move |event: Value, _: Context, callback: Callback| handler(&kms, event, callback);
    nodeback::run(handler).await
}
