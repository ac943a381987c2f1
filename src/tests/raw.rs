//! Requests over raw sockets, and the responses to them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const PATH: &str = "/2015-03-31/functions/f/invocations";

#[derive(Debug, PartialEq)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl RawResponse {
    /// Parses the first response in `text`.
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        RawResponse {
            status: status.unwrap_or_else(|| panic!("no response: `{text}`")),
            head: head.to_lowercase(),
            body: body.into(),
        }
    }

    #[track_caller]
    pub(crate) fn assert_rejected(&self, status: u16, error_type: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let header = format!("\r\nx-amzn-errortype: {}", error_type.to_lowercase());
        assert!(self.head.contains(&header), "no {error_type}: {self:?}");
        assert!(self.head.contains("\r\ncontent-type: application/json"));
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["Type"], "User");
    }
}

/// Reads until the server closes the connection or resets it.
pub(crate) async fn read_all(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

pub(crate) async fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close the connection before everything is sent.
    let _ = stream.write_all(request.as_ref()).await;
    stream
}

/// Sends a request, and reads everything that the server sends until it closes the connection.
pub(crate) async fn raw(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    read_all(&mut send(address, request).await).await
}

#[track_caller]
pub(crate) fn assert_ok(response: &RawResponse, body: &str) {
    assert_eq!((response.status, response.body.as_str()), (200, body));
}
