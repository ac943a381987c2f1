//! A connection that cannot survive a SnapStart snapshot: it is closed before the snapshot and
//! opened again after the restore. A hook also closes it when the environment shuts down.
//!
//! `cargo run --features graceful-shutdown --example snapstart -- examples/events/snapstart.json`

use futures::future::{BoxFuture, FutureExt, ready};
use nodeback::{Callback, Context, Runtime, SnapStartResource, Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Simulates a client that keeps a connection open.
#[derive(Default)]
struct Database {
    connected: AtomicBool,
}

impl Database {
    fn connect(&self) {
        self.connected.store(true, Ordering::Relaxed);
    }

    fn close(&self) {
        self.connected.store(false, Ordering::Relaxed);
        tracing::info!("the connection is closed");
    }
}

impl SnapStartResource for Database {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        self.close();
        ready(Ok(())).boxed()
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        self.connect();
        ready(Ok(())).boxed()
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    let database = Arc::new(Database::default());
    database.connect();
    let (for_handler, for_hook) = (Arc::clone(&database), Arc::clone(&database));
    let handler = move |_: Value, _: Context, callback: Callback| {
        let connected = for_handler.connected.load(Ordering::Relaxed);
        callback.succeed(json!({ "connected": connected }));
    };
    Runtime::new(handler)
        .register_snapstart_resource(database)
        .on_shutdown(async move || for_hook.close())
        .run()
        .await
}
