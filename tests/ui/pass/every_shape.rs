use nodeback::{
    Bytes, Callback, Context, Error, Handler, RawValue, ResponseStream, Value, streamify_response,
};

fn callback(_: Value, _: Context, _: Callback) {}
fn callback_throw(_: Value, _: Context, _: Callback<u32>) -> Result<(), Error> {
    Ok(())
}
async fn async_callback(_: Value, _: Context, _: Callback) {}
async fn async_callback_throw(_: Value, _: Context, _: Callback) -> anyhow::Result<()> {
    Ok(())
}
async fn returns(_: Value, _: Context) -> Result<Value, Error> {
    Ok(Value::Null)
}
async fn returns_event_only(_: Value) -> Result<(), &'static str> {
    Ok(())
}
fn blocks(_: Value, _: Context) -> Result<String, std::io::Error> {
    Ok(String::new())
}
fn blocks_event_only(_: Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(())
}
fn context_only(_: Value, _: Context) {}
fn raw(_: Bytes, _: Context, _: Callback<Bytes>) {}
fn raw_value(_: Box<RawValue>, _: Context, _: Callback<Box<RawValue>>) {}

async fn streams(_: Value, stream: ResponseStream, _: Context) -> Result<(), Error> {
    stream.end().await
}
async fn streams_without_context(_: Value, _: ResponseStream) -> anyhow::Result<()> {
    Ok(())
}

fn never(_: Value, _: Context, _: Callback) -> ! {
    todo!()
}

fn is_handler<M>(_: impl Handler<M>) {}

fn main() {
    is_handler(callback);
    is_handler(callback_throw);
    is_handler(async_callback);
    is_handler(async_callback_throw);
    is_handler(returns);
    is_handler(returns_event_only);
    is_handler(blocks);
    is_handler(blocks_event_only);
    is_handler(context_only);
    is_handler(raw);
    is_handler(raw_value);
    is_handler(streamify_response(streams));
    is_handler(streamify_response(streams_without_context).high_water_mark(1));
    is_handler(streamify_response(async |_: Value, stream: ResponseStream| stream.end().await));
    is_handler(never);
    is_handler(|_: Value, _: Context, _: Callback| todo!());
    is_handler(|_: Value, _: Context, _: Callback<u32>| panic!("not yet"));
    is_handler(|_: Value, _: Context| todo!());
    is_handler(|_: Value| unimplemented!());
    is_handler(async |_: Value, _: Context, _: Callback| todo!());
    is_handler(async |_: Value, _: Context, _: Callback| loop {
        std::future::pending::<()>().await;
    });
    is_handler(async |_: Value, _: Context| -> ! { todo!() });
    is_handler(async |_: Value| std::process::exit(1));

    let state = std::sync::Arc::new(1);
    let shared = state.clone();
    is_handler(move |_: Value, _: Context, callback: Callback<u32>| callback.succeed(*shared));
    is_handler(|_: Value, _: Context, _: Callback| Err::<(), _>("thrown"));
    is_handler(async |_: Value, _: Context, callback: Callback| callback.fail(7));
    is_handler(async |_: Value, _: Context, _: Callback| Err::<(), _>(anyhow::anyhow!("thrown")));
    is_handler(async |event: Value, _: Context| Ok::<_, Error>(event));
    is_handler(async |event: Value| Ok::<_, Error>(event));
    is_handler(|event: Value, _: Context| Ok::<_, Error>(event));
    is_handler(|event: Value| Ok::<_, Error>(event));
    is_handler(|_: Value, context: Context| context.succeed(1));
    is_handler(move |_: Value| {
        let state = state.clone();
        async move { Ok::<_, Error>(*state) }
    });
}
