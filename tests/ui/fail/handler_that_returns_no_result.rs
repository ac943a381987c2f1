use nodeback::{Context, Value, json};

async fn handler(event: Value, _: Context) -> Value {
    event
}

fn main() {
    let _ = nodeback::invoke(handler, json!({}), Context::default());
}
