//! What the command line prints.

use std::io::Write;

/// Writes to a stream that may be closed: what nobody reads is no reason to fail.
pub(super) fn write(stream: &mut dyn Write, text: &[u8]) {
    let _ = stream.write_all(text).and_then(|()| stream.flush());
}
