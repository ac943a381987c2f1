//! The page of the local server, over HTTP. tests/browser.rs tests it in a browser.

#[path = "../support/mod.rs"]
mod support;

#[rustfmt::skip]
mod copied;
mod feed;
mod files;
mod invocations;
mod safety;
mod sent;

use nodeback::{Handler, Runtime, Value};
use reqwest::{Client, Response, StatusCode};
use std::net::SocketAddr;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A local server.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<nodeback::Result<()>>,
}

impl Server {
    async fn start<M: 'static>(handler: impl Handler<M>) -> Self {
        Server::of(Runtime::new(handler)).await
    }

    async fn of(runtime: Runtime) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or(()) };
        let served: futures::future::BoxFuture<'static, _> =
            Box::pin(runtime.serve(listener, shutdown));
        Server {
            address,
            stop,
            served: tokio::spawn(served),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/_nodeback/{path}", self.address)
    }

    async fn get(&self, path: &str) -> Response {
        Client::new().get(self.url(path)).send().await.unwrap()
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let request = Client::new().post(self.url(path)).body(body);
        request.send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "application/json");
        response.json().await.unwrap()
    }

    /// Invokes with an event from the page, and waits until the invocation is over.
    async fn invoke(&self, event: impl Into<reqwest::Body>) -> Value {
        let started = self.post("api/invoke?function=f", event).await;
        assert_eq!(started.status(), StatusCode::ACCEPTED);
        let started: Value = started.json().await.unwrap();
        self.over(started["n"].as_u64().unwrap()).await
    }

    /// Waits until an invocation is over, and returns its details.
    async fn over(&self, n: u64) -> Value {
        let mut feed = self.feed().await;
        loop {
            let changes = feed.next().await.expect("the server runs");
            let of_it = |summary: &Value| summary["n"] == n && summary["over"] == true;
            if changes["invocations"].as_array().unwrap().iter().any(of_it) {
                return self.json(&format!("api/invocations/{n}")).await;
            }
        }
    }

    async fn feed(&self) -> Feed {
        let response = self.get("api/invocations").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Feed {
            response,
            received: String::new(),
        }
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

/// The events of the list of invocations.
struct Feed {
    response: Response,
    received: String,
}

impl Feed {
    /// Returns the next event, or `None` when the server has closed the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.received.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.map(|json| serde_json::from_str(json).unwrap());
                self.received = rest.to_owned();
                match data {
                    // A comment that keeps the connection alive.
                    None => continue,
                    Some(data) => return Some(data),
                }
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.received.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}
