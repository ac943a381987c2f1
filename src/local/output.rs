//! The output of the command line.

use std::io::Write;

/// Writes to a stream, and ignores errors: a closed stream must not fail an invocation.
pub(super) fn write(stream: &mut dyn Write, text: &[u8]) {
    let _ = stream.write_all(text).and_then(|()| stream.flush());
}
