use nodeback::{Callback, Context, Value, json};

fn handler(_: Value, _: Context, callback: Callback) {
    callback.succeed(json!(1));
    callback.succeed(json!(2));
}

fn main() {
    let _ = nodeback::invoke(handler, json!({}), Context::default());
}
