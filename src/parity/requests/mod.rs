//! The requests that the original and the port send to AWS.

mod again;
mod compare;
mod exchanges;
mod http;
mod request;
mod server;

pub(super) use again::Again;
pub(super) use compare::differences;
pub(super) use exchanges::{Exchange, Sent};

use self::server::{CONTROL, Servers};
use crate::error::{Error, Result};
use axum::{
    body::{Body, Bytes},
    http::{Request, Uri, header::HOST},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;

/// Records what the original and the port send to AWS during a [`Comparison`](super::Comparison):
/// see [the page](super#what-it-sends-to-aws).
///
/// The requests of the original are forwarded to a local server that stands in for AWS, such as
/// [moto](https://docs.getmoto.org). The port gets the responses that the original got.
///
/// ```no_run
/// use nodeback::{Callback, Context, Value, parity::{Comparison, RequestRecorder}};
///
/// # async fn example() -> nodeback::Result<()> {
/// let recorder = RequestRecorder::start("http://127.0.0.1:5000")?;
/// // The handler's AWS client needs `recorder.endpoint()` as its endpoint.
/// let handler = |event: Value, _: Context, callback: Callback| callback.succeed(event);
/// let report = Comparison::new("../legacy/index.handler", "events").requests(&recorder).run(handler).await?;
/// assert!(report.is_same(), "{report}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RequestRecorder {
    /// Where the port sends its requests.
    port: SocketAddr,
    /// Where the original sends them.
    original: SocketAddr,
    endpoint: String,
    /// The server that stands in for AWS, if this recorder forwards to one.
    server: Option<String>,
    /// `None` if another process has them.
    _servers: Option<Arc<Servers>>,
}

impl RequestRecorder {
    /// Starts a recorder on loopback, in a thread of its own, which ends when the last clone is
    /// dropped. `server` is the URL of a local server that stands in for AWS: `http://HOST:PORT`.
    ///
    /// # Errors
    ///
    /// If `server` is not such a URL, or the recorder cannot listen. A server that cannot be
    /// reached is reported when a comparison starts.
    pub fn start(server: &str) -> Result<Self> {
        let wrong = || {
            let message = format!(
                "`{server}`: expected a local server that stands in for AWS, such as `http://127.0.0.1:5000`"
            );
            Error::ours("Runtime.RequestRecorderError", message)
        };
        let url: Uri = server.trim().parse().map_err(|_| wrong())?;
        let host = url.host().filter(|_| {
            url.scheme_str() == Some("http") && url.path() == "/" && url.query().is_none()
        });
        let authority = format!(
            "{}:{}",
            host.ok_or_else(wrong)?,
            url.port_u16().unwrap_or(80)
        );
        Self::with(Some(authority))
    }

    /// Starts a recorder for a comparison with what was [recorded](super::Comparison::recorded),
    /// which needs no server.
    ///
    /// # Errors
    ///
    /// If it cannot listen.
    pub fn without_server() -> Result<Self> {
        Self::with(None)
    }

    fn with(server: Option<String>) -> Result<Self> {
        let servers = Servers::start(server.clone())
            .map_err(|error| failed(&format!("it cannot listen: {error}")))?;
        Ok(RequestRecorder {
            server,
            ..Self::of(servers.port, servers.original, Some(Arc::new(servers)))
        })
    }

    fn of(port: SocketAddr, original: SocketAddr, servers: Option<Arc<Servers>>) -> Self {
        RequestRecorder {
            port,
            original,
            endpoint: format!("http://{port}"),
            server: None,
            _servers: servers,
        }
    }

    /// Returns the endpoint for the port's AWS client, such as `http://127.0.0.1:40123`.
    ///
    /// ```no_run
    /// # fn example() -> nodeback::Result<()> {
    /// let recorder = nodeback::parity::RequestRecorder::start("http://127.0.0.1:5000")?;
    /// // aws_config::from_env().endpoint_url(recorder.endpoint()).load().await
    /// # Ok(())
    /// # }
    /// ```
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the environment for the original's AWS client.
    pub(super) fn environment_of_original(&self) -> Vec<(&'static str, String)> {
        let mut environment = again::defaults();
        environment.push((again::ENDPOINT, format!("http://{}", self.original)));
        environment
    }

    /// Checks that the server, if there is one, can be reached.
    pub(super) async fn reach(&self) -> Result<()> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        match TcpStream::connect(server).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = format!(
                    "the server at `{server}`, which stands in for AWS, cannot be reached: {error}"
                );
                Err(Error::ours("Runtime.RequestRecorderError", message))
            }
        }
    }

    /// Begins an event. `recorded` has the requests of an original that was recorded, and is empty
    /// for one that runs.
    pub(super) async fn begin(&self, recorded: &[Exchange]) -> Result<()> {
        self.control("begin", serde_json::to_vec(recorded)?).await?;
        Ok(())
    }

    /// Returns the requests of both sides since the event began.
    pub(super) async fn end(&self) -> Result<Sent> {
        let sent = self.control("end", Vec::new()).await?;
        Ok(serde_json::from_slice(&sent)?)
    }

    async fn control(&self, control: &str, body: Vec<u8>) -> Result<Bytes> {
        let port = self.port.to_string();
        let request = Request::post("/")
            .header(HOST, &port)
            .header(CONTROL, control);
        let request = request
            .body(Body::from(body))
            .map_err(|error| failed(&error.to_string()))?;
        match http::send(&port, request).await {
            Ok((parts, body)) if parts.status.is_success() => Ok(body),
            Ok((_, body)) => Err(failed(&String::from_utf8_lossy(&body))),
            Err(error) => Err(failed(&error.to_string())),
        }
    }
}

fn failed(why: &str) -> Error {
    Error::ours(
        "Runtime.RequestRecorderError",
        format!("the request recorder failed: {why}"),
    )
}
