//! Tests which subscriber receives the log. A subscriber belongs to the whole process, so this file
//! has only one test.

#![allow(clippy::unwrap_used, reason = "tests")]

use nodeback::{Callback, Context, Error, Runtime, Value, json};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(lines.clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_subscriber_that_init_installs_receives_the_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    let runtime = Runtime::with_init(async move {
        tracing::info!("before there is a subscriber");
        tokio::task::yield_now().await;
        // `init` panics if the process already has a subscriber.
        tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .init();
        tokio::task::yield_now().await;
        tracing::info!("from the rest of init");
        Ok(|event: Value, _: Context, callback: Callback| {
            tracing::info!("from the handler");
            callback.succeed(event);
        })
    })
    .await
    .unwrap();
    let outcome = runtime.invoke(json!(7), Context::default()).await;
    assert_eq!(outcome.result.unwrap(), 7);
    let text = lines.text();
    assert!(!text.contains("before there is"), "{text}");
    assert!(text.contains("from the rest of init"), "{text}");
    assert!(text.contains("from the handler"), "{text}");

    let panics = async {
        if lines.text().is_empty() {
            return Ok(async |event: Value| Ok::<_, Error>(event));
        }
        panic!("in init")
    };
    let error = Runtime::with_init(panics).await.unwrap_err();
    assert_eq!(
        (error.error_type(), error.message()),
        ("Runtime.Panic", "in init")
    );
}
