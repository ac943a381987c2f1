use nodeback::{Callback, Context, Value, json};
use std::rc::Rc;

async fn handler(event: Value, _: Context, callback: Callback) {
    let event = Rc::new(event);
    std::future::ready(()).await;
    callback.succeed(json!(*event));
}

fn main() {
    let _ = nodeback::invoke(handler, json!({}), Context::default());
}
