//! One-to-one ports of the handlers in `originals.js`.

use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use nodeback::{
    Bytes, Context, Error, HttpResponseStream, IntoError, ResponseStream, Result, Value, error,
    json, set_timeout,
};
use serde::Deserialize;
use std::{future::pending, time::Duration};
use tokio::{io::AsyncWriteExt, time::sleep};

#[derive(Deserialize)]
pub(crate) struct Event {
    case: String,
}

const SHORT: Duration = Duration::from_millis(5);

fn http(stream: ResponseStream) -> ResponseStream {
    let metadata = json!({ "statusCode": 201, "headers": { "Content-Type": "text/plain" } });
    HttpResponseStream::from(stream, metadata)
}

/// Returns an error with the name that Node gives it, and with Node's message.
fn type_error(message: &str) -> Error {
    Error::new("TypeError", message.to_owned())
}

pub(crate) async fn drained(stream: ResponseStream) -> Result<()> {
    for _ in 0..40 {
        stream.write("y".repeat(1000)).await?;
    }
    stream.end().await
}

pub(crate) async fn handler(event: Event, stream: ResponseStream, context: Context) -> Result<()> {
    match event.case.as_str() {
        "write_text" => stream.write("hello").await?,
        "write_bytes" => stream.write(&[0, 1, 254, 255]).await?,
        "write_uint8array" => stream.write(vec![104, 105]).await?,
        "write_object" => stream.write(json!({ "b": 1, "a": [true, null] })).await?,
        "write_number" => stream.write(json!(1.5)).await?,
        "write_array" => stream.write(json!(["a", "b"])).await?,
        "write_encoded" => stream.write(b"\xff\x00").await?,
        "write_beyond_ascii" => stream.write("zażółć 🚀").await?,
        "write_often" => {
            for n in 0..1000 {
                stream.write(format!("line {n}\n")).await?;
            }
        }
        "write_much" => {
            for _ in 0..64 {
                stream.write("x".repeat(4096)).await?;
            }
        }
        "write_nothing" => stream.write("").await?,
        "write_null" => {
            return Err(type_error(
                "Cannot read properties of null (reading 'length')",
            ));
        }
        "write_with_callback" => {
            stream.write("a").await?;
            stream.write("b").await?;
        }
        "write_in_turns" => {
            for text in ["one", "two", "three"] {
                stream.write(text).await?;
                sleep(SHORT).await;
            }
        }
        "write_corked" => {
            stream.write("a").await?;
            stream.write("b").await?;
        }
        "write_events" => {
            stream.set_content_type("text/event-stream")?;
            for n in 0..3 {
                stream
                    .write(format!("id: {n}\ndata: {{\"n\":{n}}}\n\n"))
                    .await?;
            }
        }
        "end_at_once" => {}
        "end_with_text" => {
            stream.write("a").await?;
            return stream.end_with("b").await;
        }
        "end_with_text_alone" => return stream.end_with("alone").await,
        "end_with_bytes" => return stream.end_with(&[1, 2, 3]).await,
        "end_with_object" => {
            stream.write("a").await?;
            return stream.end_with(json!({ "b": 1 })).await;
        }
        "end_twice" => {
            stream.write("a").await?;
            stream.clone().end().await?;
        }
        "end_twice_with_text" => {
            stream.write("a").await?;
            stream.clone().end_with("b").await?;
            return stream.end_with("c").await;
        }
        "end_in_a_timer" => {
            stream.write("a").await?;
            set_timeout(SHORT, move || {
                nodeback::spawn(async move { stream.end_with("b").await });
            });
            return Ok(());
        }
        "end_awaited" => stream.write("a").await?,
        "write_after_end" | "write_after_end_heard" => {
            stream.write("a").await?;
            stream.clone().end().await?;
            return stream.write("b").await;
        }
        "never_ended" => return stream.write("a").await,
        "never_ended_without_a_write" => return Ok(()),
        "never_returns" => {
            stream.write("a").await?;
            return pending().await;
        }
        "ended_and_never_returns" => {
            stream.write("a").await?;
            stream.end().await?;
            return pending().await;
        }
        "ended_and_returns_later" => {
            stream.write("a").await?;
            stream.end().await?;
            sleep(SHORT).await;
            return Ok(());
        }
        "returns_a_value" => stream.write("a").await?,
        "pipeline_of_a_reader" => {
            let chunks = ["a", "b", "c"].map(|text| Ok(Bytes::from(text)));
            return stream::iter(chunks).forward(stream).await;
        }
        "pipeline_of_bytes" => {
            let bytes = [vec![7; 70000], b"end".to_vec()].concat();
            let mut stream = stream;
            tokio::io::copy(&mut bytes.as_slice(), &mut stream).await?;
            return Ok(stream.shutdown().await?);
        }
        "pipeline_of_a_transform" => {
            let chunks = ["a", "b"].map(|text| Ok(Bytes::from(text.to_uppercase())));
            return stream::iter(chunks).forward(stream).await;
        }
        "pipe" => {
            let mut stream = stream;
            stream.send(Bytes::from("a")).await?;
            stream.send(Bytes::from("b")).await?;
            return stream.close().await;
        }
        "content_type" => {
            stream.set_content_type("text/html; charset=utf-8")?;
            stream.write("<p>").await?;
        }
        "content_type_twice" => {
            stream.set_content_type("text/plain")?;
            stream.set_content_type("text/css")?;
            stream.write("p {}").await?;
        }
        "content_type_too_late" => {
            stream.write("a").await?;
            stream.set_content_type("text/plain")?;
        }
        "content_type_without_a_write" => stream.set_content_type("text/plain")?,
        "content_type_invalid" => {
            stream.set_content_type("a\nb")?;
            stream.write("a").await?;
        }
        "http" => {
            let stream = http(stream);
            stream.write("a").await?;
            return stream.end_with("b").await;
        }
        "http_after_a_write" => {
            stream.write("a").await?;
            let stream = http(stream);
            stream.write("b").await?;
            return stream.end().await;
        }
        "http_without_a_write" => {
            let metadata = json!({ "statusCode": 204 });
            return HttpResponseStream::from(stream, metadata).end().await;
        }
        "http_ended_with_text" => return http(stream).end_with("alone").await,
        "http_of_an_empty_write" => return http(stream).end_with("").await,
        "http_cookies" => {
            let metadata = json!({
                "statusCode": 200,
                "headers": { "X-A": "b", "Set-Cookie": "c=d" },
                "cookies": ["a=1", "b=2; Secure"],
            });
            return HttpResponseStream::from(stream, metadata)
                .end_with("{}")
                .await;
        }
        "http_beyond_ascii" => {
            let metadata = json!({ "headers": { "a": "ż" } });
            return HttpResponseStream::from(stream, metadata)
                .end_with("ż")
                .await;
        }
        "http_without_metadata" => {
            return HttpResponseStream::from(stream, json!({}))
                .end_with("a")
                .await;
        }
        "http_twice" => {
            let stream = HttpResponseStream::from(http(stream), json!({ "statusCode": 202 }));
            return stream.end_with("a").await;
        }
        "http_and_content_type" => {
            let stream = http(stream);
            stream.set_content_type("text/css")?;
            return stream.end_with("a").await;
        }
        "http_fails" => {
            let _stream = http(stream);
            return Err(type_error("before a write"));
        }
        "http_fails_in_the_middle" => {
            http(stream).write("a").await?;
            return Err(type_error("after a write"));
        }
        "throws_at_once" => return Err(error!("at once")),
        "throws_in_the_middle" => {
            stream.write("a").await?;
            sleep(SHORT).await;
            return Err(Error::new("RangeError", "in the middle"));
        }
        "throws_after_end" => {
            stream.write("a").await?;
            stream.end().await?;
            return Err(error!("after the end"));
        }
        "throws_beyond_ascii" => {
            stream.write("a").await?;
            return Err(error!("żółć 🚀\nline two"));
        }
        "throws_a_name" => {
            stream.write("a").await?;
            return Err(Error::new("OrderNotFound", "no order 7").with_code("E7"));
        }
        "throws_a_name_beyond_ascii" => {
            stream.write("a").await?;
            return Err(Error::new("żółć", "b"));
        }
        "throws_a_text" => {
            stream.write("a").await?;
            return Err("a text".into_error());
        }
        "throws_a_number" => {
            stream.write("a").await?;
            return Err(json!(7).into_error());
        }
        "throws_without_a_message" => {
            stream.write("a").await?;
            return Err(error!(""));
        }
        "throws_in_a_timer" => {
            stream.write("a").await?;
            set_timeout(SHORT, || Err::<(), _>(error!("in a timer")));
            sleep(10 * SHORT).await;
        }
        "rejects_unhandled" => {
            stream.write("a").await?;
            nodeback::spawn(async { Err::<(), _>(error!("unhandled")) });
            sleep(10 * SHORT).await;
        }
        "calls_a_callback" => {
            stream.write("a").await?;
            return Err(type_error("callback is not a function"));
        }
        "calls_context_succeed" => {
            stream.write("a").await?;
            context.succeed("b");
        }
        "calls_context_fail" => {
            stream.write("a").await?;
            context.fail(error!("b"));
        }
        "waits_for_the_loop" => {
            stream.write("a").await?;
            set_timeout(4 * SHORT, || {});
        }
        "waits_for_nothing" => {
            context.set_callback_waits_for_empty_event_loop(false);
            stream.write("a").await?;
            set_timeout(Duration::from_secs(10), || {});
        }
        "destroyed" => {
            stream.write("a").await?;
            sleep(SHORT).await;
            stream.fail(error!("destroyed"));
            return Ok(());
        }
        "pipeline_that_fails" => {
            let failing = stream::once(async {
                sleep(SHORT).await;
                Err(error!("the reader failed"))
            });
            let chunks = stream::iter([Ok(Bytes::from("a"))]).chain(failing);
            let mut stream = stream;
            return stream.send_all(&mut Box::pin(chunks.into_stream())).await;
        }
        "drained" => return drained(stream).await,
        // For the test of the watchdog.
        "blocks" => {
            stream.write("a").await?;
            sleep(SHORT).await;
            std::thread::sleep(Duration::from_secs(5));
        }
        // For the tests of large streams.
        "200_mb" => {
            for _ in 0..200 * 16 {
                stream.write(vec![b'x'; 64 * 1024]).await?;
            }
        }
        // For the tests of faults: it ends only when it cannot write.
        "writes_on" => loop {
            stream.write(vec![b'x'; 4096]).await?;
        },
        case => return Err(error!("no case is called {case}")),
    }
    stream.end().await
}

/// In Node, handlers of streams must be async, too. The event is ignored.
pub(crate) async fn sync(_: Value, stream: ResponseStream) -> Result<()> {
    stream.end_with("a").await
}
