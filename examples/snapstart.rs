//! A connection that a SnapStart snapshot cannot hold: let go before it is taken, made again after
//! it was restored. And a hook that runs when the environment is shut down.
//!
//! `cargo run --features graceful-shutdown --example snapstart -- examples/events/snapstart.json`

use futures::future::{BoxFuture, FutureExt, ready};
use nodeback::{Callback, Context, Runtime, SnapStartResource, Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Stands for a client that keeps a connection open.
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
    let (of_handler, of_hook) = (Arc::clone(&database), Arc::clone(&database));
    let handler = move |_: Value, _: Context, callback: Callback| {
        let connected = of_handler.connected.load(Ordering::Relaxed);
        callback.succeed(json!({ "connected": connected }));
    };
    Runtime::new(handler)
        .register_snapstart_resource(database)
        .on_shutdown(async move || of_hook.close())
        .run()
        .await
}
