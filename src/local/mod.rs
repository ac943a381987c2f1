//! At one's desk: the function's own command line, and a server that speaks the Invoke API.

mod command;
mod connection;
mod environment;
mod guard;
mod http;
mod limits;
mod request;
mod response;
mod router;
mod server;

#[cfg(feature = "lambda")]
pub use http::{HttpService, http_service};
pub(crate) use router::serve;

use crate::{
    Result,
    error::{Error, IntoError},
    invocation::{Functions, Sink},
};
use bytes::Bytes;
use command::{Command, Source};
use environment::Environment;
use serde::de::IgnoredAny;
use std::{
    env,
    future::Future,
    io::{self, Read, Write},
    process, str,
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::Span;

/// What a program says of the desk, which the environment and the command line may overrule.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) listen: Option<String>,
    pub(crate) timeout: Option<Duration>,
}

/// Does what the command line says. One invocation ends the process with its exit code.
#[expect(clippy::exit, reason = "a command line ends with its exit code")]
pub(crate) async fn run(functions: Functions, desk: Desk) -> Result<()> {
    let (program, command) = {
        let mut arguments = env::args_os();
        (
            command::program(arguments.next()),
            command::parse(arguments),
        )
    };
    match command {
        Ok(Command::Help) => write(&mut io::stdout(), command::help(&program).as_bytes()),
        Ok(Command::Listen(address)) => return listen(functions, desk, &program, address).await,
        Ok(Command::Once { source, handler }) => {
            let code = once(&functions, &desk, &program, source, handler).await?;
            process::exit(code)
        }
        Err(mistake) => {
            write(
                &mut io::stderr(),
                format!("{program}: {mistake}\n").as_bytes(),
            );
            process::exit(2);
        }
    }
    Ok(())
}

async fn once(
    functions: &Functions,
    desk: &Desk,
    program: &str,
    source: Source,
    handler: Option<String>,
) -> Result<i32> {
    // As on Lambda, where nothing is said here.
    let handler = handler
        .or_else(|| env::var("_HANDLER").ok())
        .or_else(|| env::var("AWS_LAMBDA_FUNCTION_NAME").ok());
    let function = match functions.named(handler.as_deref().unwrap_or_default()) {
        Ok(function) => function,
        Err(mistake) => {
            let line = format!("{program}: `--handler NAME`: {mistake}\n");
            write(&mut io::stderr(), line.as_bytes());
            return Ok(2);
        }
    };
    let event = match read(&source)
        .map_err(|error| error.to_string())
        .and_then(checked)
    {
        Ok(event) => event,
        Err(mistake) => {
            write(
                &mut io::stderr(),
                format!("{program}: {source}: {mistake}\n").as_bytes(),
            );
            return Ok(2);
        }
    };
    let name = handler.as_deref().unwrap_or(program);
    let context = Environment::read(desk)?.context(name, None).1;
    let driven = function.drive(Ok(event), context, Print).await;
    Ok(driven.sent.unwrap_or(1))
}

/// Prints the outcome, and makes an exit code of it. A failure stands on its own, and so is not logged
/// too.
#[derive(Clone, Copy)]
struct Print;

impl Sink for Print {
    type Sent = i32;
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, _: &Span) -> i32 {
        print(&outcome)
    }

    async fn send_for_blocked(self, error: Error) {
        process::exit(print(&Err(error)));
    }
}

fn print(answer: &Result<Bytes>) -> i32 {
    match answer {
        Ok(body) => {
            write(&mut io::stdout(), &[body, b"\n".as_slice()].concat());
            0
        }
        Err(error) => {
            write(
                &mut io::stderr(),
                format!("{}\n", error.to_wire()).as_bytes(),
            );
            1
        }
    }
}

fn read(source: &Source) -> io::Result<Vec<u8>> {
    match source {
        Source::File(path) => std::fs::read(path),
        Source::Stdin => {
            let mut event = Vec::new();
            io::stdin().lock().read_to_end(&mut event)?;
            Ok(event)
        }
    }
}

/// The event, if it is JSON.
fn checked(event: Vec<u8>) -> Result<Bytes, String> {
    check(&event).map_err(|error| format!("expected the event as JSON: {error}"))?;
    Ok(event.into())
}

fn check(event: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(event).map_err(|error| error.to_string())?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    Ok(())
}

async fn listen(
    functions: Functions,
    desk: Desk,
    program: &str,
    address: Option<String>,
) -> Result<()> {
    let address = address
        .or_else(|| env::var("NODEBACK_LISTEN").ok())
        .or_else(|| desk.listen.clone())
        .unwrap_or_else(|| command::DEFAULT.into());
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        let message =
            format!("cannot listen on {address}: {error} (`--listen ADDR` takes another)");
        message.into_error()
    })?;
    let at = listener.local_addr()?;
    // Before anyone is told that it listens, and may signal.
    let stopped = stopped()?;
    let mut started = format!("{program} listens on http://{at}\n");
    // Any name reaches the only handler.
    let names: Vec<_> = functions.names().collect();
    for name in if names.is_empty() {
        vec![program]
    } else {
        names
    } {
        let path = format!("2015-03-31/functions/{name}/invocations");
        started.push_str(&format!("curl -d '{{}}' http://{at}/{path}\n"));
    }
    write(&mut io::stdout(), started.as_bytes());
    serve(functions, desk, listener, stopped).await
}

/// Ends at SIGINT and SIGTERM; a second one ends the process.
#[expect(clippy::exit, reason = "who signals twice waits no longer")]
fn stopped() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let signalled = CancellationToken::new();
    let first = signalled.clone();
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        signals.next().await;
        first.cancel();
        write(
            &mut io::stderr(),
            b"finishing what is in flight; once more ends it at once\n",
        );
        signals.next().await;
        process::exit(130);
    });
    Ok(signalled.cancelled_owned())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        use std::pin::pin;
        let interrupt = pin!(self.interrupt.recv());
        futures::future::select(interrupt, pin!(self.terminate.recv())).await;
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Signals)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// Writes to a stream that may be closed: what nobody reads is no reason to fail.
fn write(stream: &mut dyn Write, text: &[u8]) {
    let _ = stream.write_all(text).and_then(|()| stream.flush());
}
