//! Starts the local server from the command line.

use super::{
    command, configuration::LocalSettings, function_url::PREFIX as FUNCTION_URL, host::Host,
    output::write, page, router::serve, signals::Signals,
};
use crate::{
    error::{IntoError, Result},
    invocation::Functions,
};
use std::{env, future::Future, io, process};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until a signal stops the process.
pub(super) async fn listen(
    functions: Functions,
    mut settings: LocalSettings,
    program: &str,
    address: Option<String>,
) -> Result<()> {
    let address = address
        .or_else(|| env::var("NODEBACK_LISTEN").ok())
        .or_else(|| settings.address.clone())
        .unwrap_or_else(|| command::DEFAULT_ADDRESS.into());
    // Clients may use the name that the server listens on.
    settings.hosts.extend(Host::parse(&address));
    // Reports a wrong name of the folder now, and not only on the page.
    if let Some(folder) = &settings.events {
        folder.read_dir().map_err(|error| {
            let message = format!("cannot read `--events {}`: {error}", folder.display());
            message.into_error()
        })?;
    }
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        let message = format!(
            "cannot listen on {address}: {error} (`--listen ADDR` selects another address)"
        );
        message.into_error()
    })?;
    let at = listener.local_addr()?;
    // The signals are handled before the address is printed, since one may follow at once.
    let stopped = stopped()?;
    let mut started = format!("{program} listens on http://{at}\n");
    // Any name reaches the only handler.
    let mut names: Vec<_> = functions.names().collect();
    let is_only = names.is_empty();
    if is_only {
        names.push(program);
    }
    for name in &names {
        let path = format!("2015-03-31/functions/{name}/invocations");
        started.push_str(&format!("curl -d '{{}}' http://{at}/{path}\n"));
    }
    let routes = settings.routes.parse().map_err(IntoError::into_error)?;
    for name in &names {
        // Without routes, every other path is the URL of the only function.
        let line = match is_only && routes.is_empty() {
            true => format!("Function URL: http://{at}/\n"),
            false => format!("Function URL: http://{at}{FUNCTION_URL}{name}/ for {name}\n"),
        };
        started.push_str(&line);
    }
    started.push_str(&routes.lines(&format!("http://{at}")));
    started.push_str(&format!("Page: http://{at}{}\n", page::PATH));
    write(&mut io::stdout(), started.as_bytes());
    serve(functions, settings, listener, stopped).await
}

/// Returns a future that ends at SIGINT or SIGTERM. A second signal exits the process.
#[expect(clippy::exit, reason = "a second signal does not wait for requests")]
fn stopped() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let signalled = CancellationToken::new();
    let first = signalled.clone();
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        signals.next().await;
        first.cancel();
        write(
            &mut io::stderr(),
            b"waiting for the requests in flight; a second signal exits at once\n",
        );
        signals.next().await;
        process::exit(130);
    });
    Ok(signalled.cancelled_owned())
}
