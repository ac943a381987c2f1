//! The builder of a program: its handlers and their settings.

mod settings;

#[cfg(feature = "lambda")]
use crate::invocation::Layers;
#[cfg(feature = "local")]
use crate::local::LocalSettings;
use crate::{
    error::Result,
    invocation::{self, Context, Function, Functions, Handler, InvocationSettings, Outcome},
};
use bytes::Bytes;
use serde::Serialize;
use std::{borrow::Cow, fmt};

/// Returns the builder of a program with several handlers, each under a name, as in Node's
/// `exports`.
///
/// On Lambda, the last part of the function's handler setting selects the handler (`_HANDLER`:
/// `index.orders` means `orders`). The local server uses the function's name in the URL, the
/// command line uses `--handler orders`, and [`Runtime::invoke`] uses the `function_name` of the
/// context.
///
/// ```
/// use nodeback::{Callback, Context, Value, json};
///
/// fn orders(_: Value, _: Context, callback: Callback) {
///     callback.succeed(json!("an order"));
/// }
/// async fn stock(_: Value) -> nodeback::Result<u32> {
///     Ok(7)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let exports = nodeback::exports().handler("orders", orders).handler("stock", stock);
/// // In `main`: exports.run().await
/// let context = Context::builder().function_name("stock").build();
/// assert_eq!(exports.invoke(json!({}), context).await.result.unwrap(), 7);
/// # }
/// ```
pub fn exports() -> Runtime {
    Runtime {
        functions: Functions::default(),
        settings: InvocationSettings::default(),
        #[cfg(feature = "lambda")]
        layers: None,
        #[cfg(feature = "lambda")]
        snapstart: Vec::new(),
        #[cfg(feature = "local")]
        local: LocalSettings::default(),
        #[cfg(feature = "graceful-shutdown")]
        on_shutdown: Vec::new(),
    }
}

/// A set of handlers and the settings to run them with. Use it instead of [`run`](fn@crate::run)
/// and [`invoke`](fn@crate::invoke) to change the defaults.
///
/// | Setting | Default | Environment variable, which overrides it |
/// | --- | --- | --- |
/// | [`never_called`](Self::never_called) | [`NeverCalled::Fail`](crate::NeverCalled::Fail) | `NODEBACK_NEVER_CALLED`: `fail` or `null` |
/// | [`fail_before_deadline`](Self::fail_before_deadline) | off | `NODEBACK_FAIL_BEFORE_DEADLINE`: milliseconds; 0 for off |
/// | [`local_address`](Self::local_address) | `127.0.0.1:9000` | `NODEBACK_LISTEN`; the option `--listen` overrides both |
/// | hosts that the local server accepts in addition to its own | none | `NODEBACK_ALLOW_HOST`: names, separated by commas; the option `--allow-host` adds to them |
/// | [`local_timeout`](Self::local_timeout) | 3 s | `AWS_LAMBDA_FUNCTION_TIMEOUT`: seconds; 0 for none |
/// | [`local_routes`](Self::local_routes) | none | none; the options `--rest`, `--http-api` and `--alb` add to them |
/// | the memory size in the context, locally | 128 MB | `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` |
/// | concurrent invocations, on Lambda | 1 | `AWS_LAMBDA_MAX_CONCURRENCY` |
/// | the format of the log | text | `AWS_LAMBDA_LOG_FORMAT`: `Text` or `JSON` |
/// | the level of the log | `INFO` | `AWS_LAMBDA_LOG_LEVEL`: a level, or `RUST_LOG`: a level or directives such as `warn,my_crate=debug` |
///
/// [`invoke`](Self::invoke) and [`invoke_raw`](Self::invoke_raw) use only the settings of the
/// program, so that a test does not depend on the environment.
///
/// ```
/// use nodeback::{Callback, Context, Runtime, NeverCalled, Value, json};
///
/// fn forgetful(_: Value, _: Context, _: Callback) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let runtime = Runtime::new(forgetful).never_called(NeverCalled::Null);
/// let outcome = runtime.invoke(json!({}), Context::default()).await;
/// assert_eq!(outcome.result.unwrap(), Value::Null);
/// # }
/// ```
#[must_use = "a runtime does nothing unless it is run, served or invoked"]
pub struct Runtime {
    pub(crate) functions: Functions,
    pub(crate) settings: InvocationSettings,
    #[cfg(feature = "lambda")]
    pub(crate) layers: Option<Layers>,
    #[cfg(feature = "lambda")]
    pub(crate) snapstart: Vec<std::sync::Arc<dyn lambda_runtime::SnapStartResource>>,
    #[cfg(feature = "local")]
    pub(crate) local: LocalSettings,
    #[cfg(feature = "graceful-shutdown")]
    pub(crate) on_shutdown: Vec<Shutdown>,
}

#[cfg(feature = "graceful-shutdown")]
pub(crate) type Shutdown =
    Box<dyn FnOnce() -> futures::future::BoxFuture<'static, ()> + Send + Sync>;

impl Runtime {
    /// Creates a program with one handler and the default settings.
    ///
    /// ```
    /// use nodeback::{Context, Runtime, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let runtime = Runtime::new(async |event: Value| Ok::<_, nodeback::Error>(event));
    /// // In `main`: runtime.run().await
    /// assert_eq!(runtime.invoke(7, Context::default()).await.result.unwrap(), 7);
    /// # }
    /// ```
    pub fn new<M>(handler: impl Handler<M>) -> Self {
        let mut runtime = exports();
        runtime.functions.export(None, Function::new(handler));
        runtime
    }

    /// Adds a handler under a name: see [`exports`]. It replaces an earlier handler with the same
    /// name.
    ///
    /// ```
    /// use nodeback::{Context, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let runtime = nodeback::exports()
    ///     .handler("one", async |_: Value| Ok::<_, nodeback::Error>(1))
    ///     .handler("two", async |_: Value| Ok::<_, nodeback::Error>(2));
    /// let context = Context::builder().function_name("two").build();
    /// assert_eq!(runtime.invoke((), context).await.result.unwrap(), 2);
    /// # }
    /// ```
    pub fn handler<M>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        handler: impl Handler<M>,
    ) -> Self {
        let function = Function::new(handler);
        self.functions.export(Some(name.into()), function);
        self.configured()
    }

    /// Runs one invocation in process: see [`invoke`](crate::invoke()).
    ///
    /// ```
    /// use nodeback::{Context, Runtime, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let runtime = Runtime::new(async |event: Value| Ok::<_, nodeback::Error>(event));
    /// for event in ["first", "second"] {
    ///     let outcome = runtime.invoke(event, Context::default()).await;
    ///     assert_eq!(outcome.result.unwrap(), event);
    /// }
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if there is no tokio runtime with its time driver enabled.
    pub async fn invoke(&self, event: impl Serialize, context: Context) -> Outcome {
        match self.function_of(&context) {
            Ok(function) => invocation::in_process(function, event, context).await,
            Err(error) => Outcome::failed(error),
        }
    }

    /// Runs one invocation from the bytes of the event to the bytes of the response, for a custom
    /// transport. Returns after the work of [`wait_until`](Context::wait_until) has ended, too.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> nodeback::Result<()> {
    /// let echo = |event: Value, _: Context, callback: Callback| callback.succeed(event);
    /// let runtime = Runtime::new(echo);
    /// let response = runtime.invoke_raw(r#"{ "n": 1 }"#, Context::default()).await?;
    /// assert_eq!(response, r#"{"n":1}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the invocation, which has been logged, or `Runtime.HandlerNotFound`.
    pub async fn invoke_raw(&self, event: impl Into<Bytes>, context: Context) -> Result<Bytes> {
        let function = self.function_of(&context)?;
        invocation::raw(function, event.into(), context.to_builder()).await
    }

    /// Returns the function that a context names.
    fn function_of(&self, context: &Context) -> Result<&Function> {
        let function = self.functions.named(&context.function_name);
        function.map_err(|mistake| mistake.into_error())
    }

    /// Applies the settings and the layers of the program to each function. Whatever changes any of
    /// them calls this.
    fn configured(mut self) -> Self {
        self.configure(self.settings);
        self
    }

    pub(crate) fn configure(&mut self, settings: InvocationSettings) {
        for function in self.functions.each() {
            function.settings = settings;
            #[cfg(feature = "lambda")]
            function.layers.clone_from(&self.layers);
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("handlers", &self.functions.names().collect::<Vec<_>>())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
