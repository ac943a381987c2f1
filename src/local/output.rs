//! The output of the command line.

use std::io::{self, ErrorKind, Write};

/// Writes to a stream, and ignores errors: a closed stream must not fail an invocation.
pub(super) fn write(stream: &mut dyn Write, text: &[u8]) {
    let _ = stream.write_all(text).and_then(|()| stream.flush());
}

/// Writes a response, or a part of it, to stdout. Returns false if that failed. A closed pipe is not
/// a failure, since its reader, such as `head`, needs no more of the response.
pub(super) fn write_response(text: &[u8]) -> bool {
    let mut stdout = io::stdout();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tracing::error!("the response cannot be written to stdout: {error}");
            false
        }
        _ => true,
    }
}
