//! The settings of a [`Runtime`].

use super::Runtime;
#[cfg(feature = "lambda")]
use crate::invocation::InvocationService;
use crate::invocation::NeverCalled;
use std::time::Duration;

impl Runtime {
    /// Sets the outcome of an invocation whose callback was never called: see [`NeverCalled`].
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, NeverCalled, Value};
    ///
    /// let forgetful = |_: Value, _: Context, _: Callback| {};
    /// let runtime = Runtime::new(forgetful).never_called(NeverCalled::Null);
    /// # drop(runtime);
    /// ```
    pub fn never_called(mut self, never_called: NeverCalled) -> Self {
        self.settings.never_called = never_called;
        self.configured()
    }

    /// Makes an invocation without an outcome fail `margin` before its deadline, with the error
    /// `Runtime.NoResponseBeforeDeadline`, which names what is still running. By default, it has
    /// until the deadline, when Lambda stops the process and responds with an error of its own. A
    /// handler that blocks its thread is not affected.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value, json};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let slow = |_: Value, context: Context, callback: Callback| {
    ///     context.spawn(async move {
    ///         tokio::time::sleep(Duration::from_secs(60)).await;
    ///         callback.succeed(json!("too late"));
    ///     });
    /// };
    /// let runtime = Runtime::new(slow).fail_before_deadline(Duration::from_millis(980));
    /// let context = Context::builder().timeout(Duration::from_secs(1)).build();
    /// let error = runtime.invoke(json!({}), context).await.result.unwrap_err();
    /// assert_eq!(error.error_type(), "Runtime.NoResponseBeforeDeadline");
    /// // no response 980 ms before the deadline; aborted: the task spawned at src/main.rs:5:13
    /// println!("{}", error.message());
    /// # }
    /// ```
    pub fn fail_before_deadline(mut self, margin: Duration) -> Self {
        self.settings.fail_before_deadline = Some(margin);
        self.configured()
    }

    /// Adds a tower layer around the invocations of all handlers, outside of the layers that were
    /// added before. It applies on Lambda, locally and in [`invoke`](Self::invoke).
    ///
    /// Layers for lambda_runtime's own `Runtime::layer` fit, and so does any layer that accepts any
    /// service, such as tower's timeout. If the layers end before the handler has an outcome, their
    /// error is the outcome. Layers do not see the response, which the innermost service posts.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value, json};
    /// use std::time::Duration;
    /// use tower::timeout::TimeoutLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let slow = async |_: Value, _: Context, callback: Callback| {
    ///     tokio::time::sleep(Duration::from_secs(2)).await;
    ///     callback.succeed(json!("too late"));
    /// };
    /// let runtime = Runtime::new(slow).layer(TimeoutLayer::new(Duration::from_millis(10)));
    /// let error = runtime.invoke(json!({}), Context::default()).await.result.unwrap_err();
    /// assert_eq!(error.error_type(), "Elapsed");
    /// # }
    /// ```
    #[cfg(feature = "lambda")]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: tower::Layer<InvocationService>,
        L::Service: tower::Service<
                lambda_runtime::LambdaInvocation,
                Response = (),
                Error: Into<Box<dyn std::error::Error + Send + Sync>>,
                Future: Send,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        self.layers = Some(self.layers.unwrap_or_default().add(&layer));
        self.configured()
    }

    /// Registers a resource whose hooks run before a SnapStart snapshot is taken and after it was
    /// restored. For the order, see lambda_runtime's documentation of the trait. Without SnapStart,
    /// and locally, the hooks are never called.
    ///
    /// ```
    /// use nodeback::{Runtime, SnapStartResource, Value};
    /// use std::sync::Arc;
    ///
    /// struct Pool; // its hooks do nothing by default
    /// impl SnapStartResource for Pool {}
    ///
    /// let handler = async |event: Value| Ok::<_, nodeback::Error>(event);
    /// let runtime = Runtime::new(handler).register_snapstart_resource(Arc::new(Pool));
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "lambda")]
    pub fn register_snapstart_resource(
        mut self,
        resource: std::sync::Arc<dyn lambda_runtime::SnapStartResource>,
    ) -> Self {
        self.snapstart.push(resource);
        self
    }

    /// Adds a hook that runs when the process is asked to exit, after the hooks that were added
    /// before. On Lambda, it runs through lambda_runtime's graceful shutdown, which allows half a
    /// second. Locally, it runs after Ctrl-C or SIGTERM, when the requests in flight have their
    /// responses.
    ///
    /// ```
    /// use nodeback::{Runtime, Value};
    ///
    /// let handler = async |event: Value| Ok::<_, nodeback::Error>(event);
    /// let runtime = Runtime::new(handler).on_shutdown(async || println!("flushed"));
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "graceful-shutdown")]
    pub fn on_shutdown<F>(mut self, hook: impl FnOnce() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.on_shutdown.push(Box::new(|| Box::pin(hook())));
        self
    }

    /// Sets the address that the local server listens on, `host:port`. The environment and the
    /// command line override it.
    ///
    /// ```
    /// let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let runtime = nodeback::Runtime::new(handler).local_address("127.0.0.1:3000");
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "local")]
    pub fn local_address(mut self, address: impl Into<String>) -> Self {
        self.local.address = Some(address.into());
        self
    }

    /// Sets the routes by which the local server sends requests to the handlers, as events of API
    /// Gateway or of a load balancer. Options on the command line add to them.
    ///
    /// Without routes, any path outside of the Invoke API is a function URL.
    ///
    /// ```
    /// use nodeback::{Callback, Context, LocalRoutes, Value, json};
    ///
    /// fn handler(event: Value, _: Context, callback: Callback) {
    ///     let body = format!("client {}", event["pathParameters"]["id"]);
    ///     callback.succeed(json!({ "statusCode": 200, "body": body }));
    /// }
    ///
    /// let routes = LocalRoutes::new().rest("GET /clients/{id}").stage("dev");
    /// let runtime = nodeback::Runtime::new(handler).local_routes(routes);
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "local")]
    pub fn local_routes(mut self, routes: crate::LocalRoutes) -> Self {
        self.local.routes = routes;
        self
    }

    /// Sets how long an invocation may take when it runs locally. The environment overrides it.
    /// Zero means no limit.
    ///
    /// ```
    /// let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let minute = std::time::Duration::from_secs(60);
    /// let runtime = nodeback::Runtime::new(handler).local_timeout(minute);
    /// # drop(runtime);
    /// ```
    #[cfg(feature = "local")]
    pub fn local_timeout(mut self, timeout: Duration) -> Self {
        self.local.timeout = Some(timeout);
        self
    }
}
