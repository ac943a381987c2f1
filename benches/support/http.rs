//! The part of HTTP/1.1 that the benchmark needs, over blocking sockets, so that no library affects
//! the figures.

use std::{
    io::{self, BufRead, BufReader, Read},
    net::TcpStream,
};

/// A request or a response.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// The first line.
    pub(crate) start: String,
    /// The value of `Lambda-Runtime-Aws-Request-Id`, or an empty string.
    pub(crate) request_id: String,
    pub(crate) body: Vec<u8>,
}

/// Reads a message whose body has a `Content-Length` or comes in chunks, or that has no body. Returns
/// `None` at the end of the connection.
pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Message>> {
    let mut message = Message::default();
    if stream.read_line(&mut message.start)? == 0 {
        return Ok(None);
    }
    let (mut line, mut length, mut is_chunked) = (String::new(), 0, false);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        } else if name.eq_ignore_ascii_case("lambda-runtime-aws-request-id") {
            message.request_id = value.trim().into();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    if is_chunked {
        read_chunks(stream, &mut message.body)?;
    } else {
        message.body.resize(length, 0);
        stream.read_exact(&mut message.body)?;
    }
    Ok(Some(message))
}

/// Reads chunks without trailers.
fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
        let start = body.len();
        // With the line break behind the chunk.
        body.resize(start + size + 2, 0);
        stream.read_exact(body.get_mut(start..).unwrap_or_default())?;
        body.truncate(start + size);
        if size == 0 {
            return Ok(());
        }
    }
}

/// Returns the two halves of a connection, with Nagle's algorithm disabled.
pub(crate) fn connection(stream: TcpStream) -> io::Result<(BufReader<TcpStream>, TcpStream)> {
    stream.set_nodelay(true)?;
    let writer = stream.try_clone()?;
    Ok((BufReader::with_capacity(64 * 1024, stream), writer))
}
