//! The types of chunks that can be written to a stream.

use bytes::Bytes;
use serde_json::Value;

/// A chunk that can be written to a [`ResponseStream`](crate::ResponseStream): text, bytes, or a
/// [`Value`], which is written as JSON, as in Node.
///
/// It is implemented for `&str`, `String`, `&String`, `&[u8]`, `&[u8; N]`, `Vec<u8>`, [`Bytes`],
/// `Value` and `&Value`. Text and bytes that are passed by reference are copied.
///
/// ```
/// use nodeback::{Context, Result, ResponseStream, Value, json};
///
/// async fn handler(_: Value, stream: ResponseStream, _: Context) -> Result<()> {
///     stream.write("text").await?;
///     stream.write(format!("{} bytes", 7)).await?;
///     stream.write(b"\x00\x01").await?;
///     stream.write(json!({ "as": "JSON" })).await?;
///     stream.end().await
/// }
/// ```
pub trait IntoChunk: sealed::Sealed {
    #[doc(hidden)]
    fn into_chunk(self) -> Bytes;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! into_chunk {
    ($(<$(const $n:ident: usize)?> $type:ty: |$value:ident| $bytes:expr),+ $(,)?) => {$(
        impl<$(const $n: usize)?> sealed::Sealed for $type {}

        impl<$(const $n: usize)?> IntoChunk for $type {
            fn into_chunk(self) -> Bytes {
                let $value = self;
                $bytes
            }
        }
    )+};
}

into_chunk! {
    <> Bytes: |bytes| bytes,
    <> String: |text| text.into(),
    <> Vec<u8>: |bytes| bytes.into(),
    <> &str: |text| Bytes::copy_from_slice(text.as_bytes()),
    <> &String: |text| Bytes::copy_from_slice(text.as_bytes()),
    <> &[u8]: |bytes| Bytes::copy_from_slice(bytes),
    <const N: usize> &[u8; N]: |bytes| Bytes::copy_from_slice(bytes),
    <> Value: |value| value.to_string().into(),
    <> &Value: |value| value.to_string().into(),
}
