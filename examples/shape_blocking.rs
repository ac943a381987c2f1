//! Python's handler, which returns or raises. It may block, since it runs on a thread for blocking
//! code. The error can be any `std::error::Error`.
//!
//! `cargo run --example shape_blocking -- examples/events/shape_blocking.json`
//!
//! ```python
//! def handler(event, context):
//!     addresses = socket.getaddrinfo(event["host"], event["port"], type=socket.SOCK_STREAM)
//!     return [address[4][0] for address in addresses]
//! ```

use serde::Deserialize;
use std::{
    io,
    net::{IpAddr, ToSocketAddrs},
};

#[derive(Deserialize)]
struct Event {
    host: String,
    port: u16,
}

fn handler(event: Event) -> io::Result<Vec<IpAddr>> {
    let addresses = (event.host.as_str(), event.port).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
