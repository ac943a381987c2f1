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
#[cfg(any(feature = "lambda", feature = "bench"))]
use std::env;
use std::future::Future;

/// Runs a handler: on Lambda where that started the program, locally otherwise.
///
/// - **On Lambda** (`AWS_LAMBDA_RUNTIME_API` is set) it answers invocations until the environment
///   is shut down; several at a time where `AWS_LAMBDA_MAX_CONCURRENCY` says so.
/// - **Locally** it is a command line: `hello event.json`, `hello '{"a":1}'` or `hello -` runs one
///   invocation, prints the response, and ends the process: with exit code 1 if the invocation
///   failed, which is then printed as JSON on stderr. Without an argument it serves Lambda's Invoke API on
///   `127.0.0.1:9000`, for `curl`, the AWS CLI and any AWS SDK. `--help` says the rest.
///
/// It installs a `tracing` subscriber that writes to stderr, unless the program has its own.
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
/// What keeps it from running: an address that is taken, or an environment that lacks variables
/// (all of which are named).
#[cfg(any(feature = "lambda", feature = "local"))]
pub async fn run<M>(handler: impl Handler<M>) -> Result<()> {
    Runtime::new(handler).run().await
}

impl Runtime {
    /// Waits for what a handler needs before its first event, such as a pool of connections, and
    /// takes the handler that it makes. Lambda is told if that fails, through `/init/error`.
    ///
    /// A `tracing` subscriber that it installs is the program's own. What it logs without one is
    /// written as [`run`](Self::run) would.
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
    /// What it failed with, or `Runtime.Panic`, once Lambda has been told.
    pub async fn with_init<H: Handler<M>, M>(
        init: impl Future<Output = Result<H>>,
    ) -> Result<Self> {
        let init = Guarded::new(Box::pin(init));
        #[cfg(any(feature = "lambda", feature = "local"))]
        let init = log::during(init);
        match init.await.unwrap_or_else(|panic| Err(Error::panic(panic))) {
            Ok(handler) => Ok(Runtime::new(handler)),
            Err(error) => {
                #[cfg(feature = "lambda")]
                tell_lambda(&error).await;
                Err(error)
            }
        }
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
    /// What keeps them from running.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub async fn run(mut self) -> Result<()> {
        // No log is installed, since writing it would be most of what is measured.
        #[cfg(feature = "bench")]
        if let Some(asked) = BenchCommand::parse(env::args_os().skip(1)).filter(|_| !on_lambda()) {
            self.override_settings()?;
            return Box::pin(bench(asked, &self.functions, &self.local)).await;
        }
        log::init();
        let settled = self.override_settings();
        #[cfg(feature = "lambda")]
        if let Err(error) = &settled {
            tell_lambda(error).await;
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
        if let Some(asked) = Against::parse(std::env::args_os().skip(1)) {
            return against(asked, &self.functions, &self.local).await;
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

    /// Serves Lambda's Invoke API on `listener` until `shutdown` ends, then answers what is in
    /// flight: what [`run`](Self::run) does locally, for a test or a program of one's own.
    ///
    /// A client may be slow, large or gone only within limits: headers of 16 KB within 30 s, a body
    /// of 6 MB within 60 s and with no pause of 10 s, an answer of which some is taken every 30 s.
    /// At 16,384 connections, or when the system has no more, those that are idle are closed.
    ///
    /// A web page cannot call: a request is refused with 403 if its `Host` (or the host in its
    /// target) is neither `localhost`, a name below it, a loopback address nor the listener's own,
    /// which is any IP address where that listens on all of them; and if it has an `Origin` that
    /// is not `http://` and that host. A request of HTTP/1.0 may have no `Host`. A listener that is
    /// not on a loopback address is told in the log, at WARN.
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
    /// If a variable of the environment is not what it has to be, or the listener has no address.
    #[cfg(feature = "local")]
    pub async fn serve(
        mut self,
        listener: tokio::net::TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        self.override_settings()?;
        local::serve(self.functions, self.local, listener, shutdown).await
    }

    /// Gives each function its layers and its settings, of which those in the environment go first.
    #[cfg(any(feature = "lambda", feature = "local"))]
    fn override_settings(&mut self) -> Result<()> {
        let settings = self.settings.overridden()?;
        for function in self.functions.each() {
            function.settings = settings;
            #[cfg(feature = "lambda")]
            function.layers.clone_from(&self.layers);
        }
        Ok(())
    }
}

/// Runs each hook to its end; one that panics keeps no other from running.
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

/// Compares the port with its original, as the command line says, and ends the process.
#[cfg(feature = "parity")]
#[expect(clippy::exit, reason = "a command line ends with its exit code")]
async fn against(
    asked: Result<Against, String>,
    functions: &Functions,
    settings: &local::LocalSettings,
) -> Result<()> {
    let code = match asked {
        Ok(against) => {
            let configuration = local::FunctionConfiguration::read(settings)?;
            let context = |name: &str| configuration.context_of(name);
            against.run(functions, context).await
        }
        Err(mistake) => not_understood(&mistake),
    };
    std::process::exit(code)
}

/// Runs the benchmark of a command line, and ends the process.
#[cfg(feature = "bench")]
#[expect(clippy::exit, reason = "a command line ends with its exit code")]
async fn bench(
    asked: Result<BenchCommand, String>,
    functions: &Functions,
    settings: &local::LocalSettings,
) -> Result<()> {
    let code = match asked {
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

/// What a program that somebody starts by hand says.
#[cfg(all(feature = "lambda", not(feature = "local")))]
const WITHOUT_LOCAL: &str = "AWS_LAMBDA_RUNTIME_API is missing: this program is built without the \
                             feature `local` of nodeback, so it runs on Lambda alone";

#[cfg(any(feature = "lambda", feature = "bench"))]
fn on_lambda() -> bool {
    cfg!(feature = "lambda") && env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Tells Lambda why the program cannot start, where that started it.
#[cfg(feature = "lambda")]
async fn tell_lambda(error: &Error) {
    if on_lambda() {
        lambda::failed_init(error).await;
    }
}

#[cfg(all(test, feature = "lambda", not(feature = "local")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_the_feature_local_a_start_by_hand_says_so() {
        let handler = async |event: serde_json::Value| Ok::<_, Error>(event);
        let error = run(handler).await.unwrap_err();
        assert_eq!(error.error_type(), "Runtime.InvalidEnvironment");
        assert!(error.message().contains("the feature `local`"), "{error}");
    }
}
