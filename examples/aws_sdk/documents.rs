//! `documents.js` in Rust: an API that reads, writes, copies and finds documents in S3.

use aws_sdk_s3::{Client, config::Builder, primitives::ByteStream};
use futures::TryFutureExt;
use nodeback::{Callback, Context, Error, Result, Value, js, json, object, spawn_then};

pub(crate) fn handler(s3: &Client, event: &Value, callback: Callback) -> Result<()> {
    let text = |name: &str| js::to_string(event.get(name));
    let (bucket, key) = (text("Bucket"), text("Key"));
    match event["action"].as_str() {
        Some("write") => {
            let put = s3
                .put_object()
                .bucket(bucket)
                .key(key)
                .body(ByteStream::from(
                    js::stringify(&event["document"])?.into_bytes(),
                ))
                .content_type("application/json");
            spawn_then(put.send(), move |err, data| match err {
                Some(err) => callback.fail(err),
                None => callback.succeed(json!({ "etag": data.and_then(|data| data.e_tag) })),
            });
        }
        Some("read") => {
            let get = s3.get_object().bucket(bucket).key(key);
            // The body is a stream, so reading it can fail, too.
            let text = async move {
                let body = get.send().await?.body.collect().await?;
                Ok::<_, Error>(String::from_utf8_lossy(&body.into_bytes()).into_owned())
            };
            spawn_then(text, move |err, text| match err {
                Some(err) if err.code() == Some("NoSuchKey") => {
                    callback.succeed(json!({ "found": false }))
                }
                Some(err) => callback.fail(err),
                None => callback.succeed(json!({ "found": true, "text": text })),
            });
        }
        Some("exists") => {
            // The error from `from_sdk_error` has the member `statusCode`.
            let head = s3
                .head_object()
                .bucket(bucket)
                .key(key)
                .send()
                .map_err(Error::from_sdk_error);
            spawn_then(head, move |err, data| match (err, data) {
                (Some(err), _) if err.member("statusCode") == Some(&json!(404)) => {
                    callback.succeed(json!({ "exists": false }));
                }
                (None, Some(data)) => callback.succeed(object! {
                    "exists": true, "type"?: data.content_type, "length"?: data.content_length,
                }),
                (err, _) => callback(err, None),
            });
        }
        Some("copy") => {
            let (s3, to) = (s3.clone(), text("to"));
            let get = s3
                .get_object()
                .bucket(bucket.clone())
                .key(key.clone())
                .send();
            spawn_then(get, move |err, data| {
                let (None, Some(data)) = (&err, data) else {
                    return callback.fail(format!(
                        "cannot read {key}: {}",
                        err.map(|err| err.to_string()).unwrap_or_default()
                    ));
                };
                let length = data.content_length;
                let put = s3
                    .put_object()
                    .bucket(bucket)
                    .key(to.clone())
                    .set_content_length(length);
                let put = put.set_content_type(data.content_type).body(data.body);
                spawn_then(put.send(), move |err, _| match err {
                    Some(err) => callback.fail(format!("cannot write {to}: {err}")),
                    None => callback.succeed(json!({ "copied": length })),
                });
            });
        }
        _ => {
            let prefix = event["prefix"].as_str().map(String::from);
            let list = s3.list_objects_v2().bucket(bucket).set_prefix(prefix);
            spawn_then(list.send(), move |err, data| match err {
                Some(err) => {
                    let name = format!("List{}", err.code().unwrap_or_default());
                    callback.fail(Error::new(name, err.message()));
                }
                None => {
                    let objects = data.iter().flat_map(|data| data.contents());
                    let keys: Vec<_> = objects.filter_map(|object| object.key()).collect();
                    callback.succeed(json!(keys));
                }
            });
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let config = Builder::from(&aws_config::load_from_env().await)
        .force_path_style(true)
        .build();
    let s3 = Client::from_conf(config);
    let handler =
        move |event: Value, _: Context, callback: Callback| handler(&s3, &event, callback);
    nodeback::run(handler).await
}
