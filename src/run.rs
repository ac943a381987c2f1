//! Decides where the handlers of a program run: on Lambda or locally.

#[cfg(feature = "bench")]
use crate::bench::BenchCommand;
#[cfg(feature = "parity")]
use crate::invocation::Functions;
#[cfg(feature = "lambda")]
use crate::lambda;
#[cfg(feature = "local")]
use crate::local;
#[cfg(any(feature = "lambda", feature = "local"))]
use crate::log;
#[cfg(feature = "parity")]
use crate::parity::Against;
use crate::{
    error::{Error, Result},
    guard::Guarded,
    invocation::Handler,
    runtime::Runtime,
};
#[cfg(feature = "graceful-shutdown")]
use crate::{
    guard::{Panic, guarded},
    runtime::Shutdown,
};
#[cfg(any(feature = "lambda", feature = "local"))]
use futures::future::BoxFuture;
#[cfg(any(feature = "lambda", feature = "bench"))]
use std::env;
use std::future::Future;

/// Runs a handler: on Lambda if Lambda started the program, and locally otherwise.
///
/// - **On Lambda** (`AWS_LAMBDA_RUNTIME_API` is set) it responds to invocations until the
///   environment is shut down, to as many at a time as `AWS_LAMBDA_MAX_CONCURRENCY` allows.
/// - **Locally** it is a command line: `hello event.json`, `hello '{"a":1}'` or `hello -` runs one
///   invocation, prints the response, and exits. If the invocation fails, it prints the error as
///   JSON on stderr and exits with code 1. Without arguments it serves Lambda's Invoke API on
///   `127.0.0.1:9000`, for `curl`, the AWS CLI and any AWS SDK. `--help` lists all options.
///
/// It installs a `tracing` subscriber that writes to stderr, unless the program has installed one.
///
/// ```no_run
/// use nodeback::{Callback, Context, Value, json};
///
/// fn handler(event: Value, _: Context, callback: Callback) {
///     callback(None, Some(json!({ "hello": event["name"] })));
/// }
///
/// #[tokio::main]
/// async fn main() -> nodeback::Result<()> {
///     nodeback::run(handler).await
/// }
/// ```
///
/// # Errors
///
/// Returns an error if it cannot run, for example because the address is in use or because
/// variables of the environment are missing (the message names all of them).
#[cfg(any(feature = "lambda", feature = "local"))]
pub async fn run<M>(handler: impl Handler<M>) -> Result<()> {
    Runtime::new(handler).run().await
}

impl Runtime {
    /// Waits for the initialization of a handler, such as opening a pool of connections, and
    /// creates a runtime for the handler that it returns. If it fails, the error is reported to
    /// Lambda through `/init/error`.
    ///
    /// `init` may install a `tracing` subscriber, which [`run`](Self::run) then keeps. Without one,
    /// its log is written as [`run`](Self::run) writes it.
    ///
    /// ```
    /// use nodeback::{Callback, Context, Runtime, Value, json};
    /// use std::{collections::HashMap, sync::Arc};
    ///
    /// async fn load() -> Result<HashMap<String, u32>, std::io::Error> {
    ///     Ok(HashMap::from([("tea".into(), 7)]))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> nodeback::Result<()> {
    /// let runtime = Runtime::with_init(async {
    ///     let stock = Arc::new(load().await?);
    ///     Ok(move |event: Value, _: Context, callback: Callback| {
    ///         let count = event.as_str().and_then(|name| stock.get(name));
    ///         callback.succeed(json!(count));
    ///     })
    /// })
    /// .await?;
    /// // In `main`: runtime.run().await
    /// assert_eq!(runtime.invoke("tea", Context::default()).await.result?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of `init`, or `Runtime.Panic` if it panicked, after reporting it to
    /// Lambda.
    pub async fn with_init<H: Handler<M>, M>(
        init: impl Future<Output = Result<H>>,
    ) -> Result<Self> {
        let init = Guarded::new(Box::pin(init));
        let start = async {
            match init.await.unwrap_or_else(|panic| Err(Error::panic(panic))) {
                Ok(handler) => Ok(Runtime::new(handler)),
                Err(error) => {
                    #[cfg(feature = "lambda")]
                    report_to_lambda(&error).await;
                    Err(error)
                }
            }
        };
        // The report is covered, too, since it logs why it failed.
        #[cfg(any(feature = "lambda", feature = "local"))]
        let start = log::during(start);
        start.await
    }

    /// Runs the handlers: see [`run`](fn@crate::run).
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> nodeback::Result<()> {
    /// # let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let margin = std::time::Duration::from_millis(200);
    /// nodeback::Runtime::new(handler).fail_before_deadline(margin).run().await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the handlers cannot run.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub async fn run(self) -> Result<()> {
        self.boxed_run().await
    }

    /// Returns the future of [`run`](Self::run). A boxed future is compiled once, in this crate. The
    /// future of an `async fn` is compiled in the user's crate, several times: the binary of a
    /// function was 12 % larger, and took three times as long to build after a change.
    #[cfg(any(feature = "lambda", feature = "local"))]
    fn boxed_run(self) -> BoxFuture<'static, Result<()>> {
        Box::pin(self.run_anywhere())
    }

    #[cfg(any(feature = "lambda", feature = "local"))]
    async fn run_anywhere(mut self) -> Result<()> {
        // No log is installed, since a benchmark would mostly measure how long writing it takes.
        #[cfg(feature = "bench")]
        if let Some(command) = BenchCommand::parse(env::args_os().skip(1)).filter(|_| !on_lambda())
        {
            self.override_settings()?;
            return Box::pin(bench(command, &self.functions, &self.local)).await;
        }
        log::init();
        let settled = self.override_settings();
        #[cfg(feature = "lambda")]
        if let Err(error) = &settled {
            report_to_lambda(error).await;
        }
        settled?;
        #[cfg(not(feature = "local"))]
        if !on_lambda() {
            return Err(Error::ours("Runtime.InvalidEnvironment", WITHOUT_LOCAL));
        }
        #[cfg(feature = "graceful-shutdown")]
        let hooks = std::mem::take(&mut self.on_shutdown);
        #[cfg(feature = "lambda")]
        if on_lambda() {
            #[cfg(feature = "graceful-shutdown")]
            if !hooks.is_empty() {
                lambda::on_shutdown(|| run_hooks(hooks)).await?;
            }
            return lambda::run(&self.functions, &self.snapstart).await;
        }
        #[cfg(feature = "parity")]
        if let Some(command) = Against::parse(std::env::args_os().skip(1)) {
            return against(command, &self.functions, &self.local).await;
        }
        #[cfg(feature = "local")]
        let ran = local::run(self.functions, self.local).await;
        #[cfg(all(feature = "local", feature = "graceful-shutdown"))]
        run_hooks(hooks).await;
        #[cfg(feature = "local")]
        return ran;
        #[cfg(not(feature = "local"))]
        Ok(())
    }

    /// Serves Lambda's Invoke API on `listener` until `shutdown` ends, then waits for the requests
    /// in flight. [`run`](Self::run) does the same locally. Use this in a test or in another
    /// program.
    ///
    /// Each client has limits: headers of 16 KB within 30 s, and a body of 6 MB within 60 s and
    /// without a pause of 10 s. It has to read some of a response every 30 s. At 16,384
    /// connections, or when the system has no more sockets, idle connections are closed.
    ///
    /// Foreign web pages cannot invoke a function. A request is rejected with 403 in these cases:
    ///
    /// - Its `Host`, or the host in its target, is not one of the server's: `localhost`, a name
    ///   below it, a loopback address, the address of the listener (any IP address if it listens on
    ///   all of them), or a name in `NODEBACK_ALLOW_HOST`. A request of HTTP/1.0 may omit `Host`.
    /// - Its `Sec-Fetch-Site`, `Origin` or `Referer` shows that a page of another origin caused it.
    ///
    /// A listener on an address that is not loopback is logged at WARN.
    ///
    /// ```no_run
    /// # async fn example() -> nodeback::Result<()> {
    /// # let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// println!("listening on {}", listener.local_addr()?);
    /// nodeback::Runtime::new(handler).serve(listener, std::future::pending()).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a variable of the environment or a route is invalid, or if the listener
    /// has no local address.
    #[cfg(feature = "local")]
    pub async fn serve(
        mut self,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        self.override_settings()?;
        local::serve(self.functions, self.local, listener, shutdown).await
    }

    /// Overrides the settings of the program by those of the environment.
    #[cfg(any(feature = "lambda", feature = "local"))]
    fn override_settings(&mut self) -> Result<()> {
        self.configure(self.settings.overridden()?);
        Ok(())
    }
}

/// Runs the hooks one after the other. A hook that panics does not keep the others from running.
#[cfg(feature = "graceful-shutdown")]
async fn run_hooks(hooks: Vec<Shutdown>) {
    for hook in hooks {
        let ran = match guarded(hook) {
            Ok(future) => Guarded::new(future).await,
            Err(panic) => Err(panic),
        };
        if let Err(Panic(message, _)) = ran {
            tracing::error!("a shutdown hook panicked: {message}");
        }
    }
}

/// Runs the comparison of a command line, and exits the process.
#[cfg(feature = "parity")]
#[expect(clippy::exit, reason = "a command line ends with its exit code")]
async fn against(
    command: Result<Against, String>,
    functions: &Functions,
    settings: &local::LocalSettings,
) -> Result<()> {
    let code = match command {
        Ok(against) => {
            let configuration = local::FunctionConfiguration::read(settings)?;
            let context = |name: &str| configuration.context_of(name);
            against.run(functions, context).await
        }
        Err(mistake) => not_understood(&mistake),
    };
    std::process::exit(code)
}

/// Runs the benchmark of a command line, and exits the process.
#[cfg(feature = "bench")]
#[expect(clippy::exit, reason = "a command line ends with its exit code")]
async fn bench(
    command: Result<BenchCommand, String>,
    functions: &Functions,
    settings: &local::LocalSettings,
) -> Result<()> {
    let code = match command {
        Ok(bench) => {
            let configuration = local::FunctionConfiguration::read(settings)?;
            let context = |name: &str| configuration.context_of(name);
            bench.run(functions, context).await
        }
        Err(mistake) => not_understood(&mistake),
    };
    std::process::exit(code)
}

/// Prints what is wrong with a command line, and returns its exit code.
#[cfg(feature = "parity")]
fn not_understood(mistake: &str) -> i32 {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{mistake}");
    2
}

/// The error of a program without the feature `local` that Lambda did not start.
#[cfg(all(feature = "lambda", not(feature = "local")))]
const WITHOUT_LOCAL: &str = "AWS_LAMBDA_RUNTIME_API is missing: this program is built without the \
                             feature `local` of nodeback, so it runs only on Lambda";

#[cfg(any(feature = "lambda", feature = "bench"))]
fn on_lambda() -> bool {
    cfg!(feature = "lambda") && env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Reports to Lambda why the program cannot start, if Lambda started it. The future is boxed for the
/// same reason as that of [`Runtime::boxed_run`].
#[cfg(feature = "lambda")]
fn report_to_lambda(error: &Error) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        if on_lambda() {
            lambda::failed_init(error).await;
        }
    })
}

#[cfg(all(test, feature = "lambda", not(feature = "local")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_the_feature_local_a_start_outside_lambda_is_an_error() {
        let handler = async |event: serde_json::Value| Ok::<_, Error>(event);
        let error = run(handler).await.unwrap_err();
        assert_eq!(error.error_type(), "Runtime.InvalidEnvironment");
        assert!(error.message().contains("the feature `local`"), "{error}");
    }
}
