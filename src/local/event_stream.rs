//! Encodes the two kinds of AWS event stream messages that `InvokeWithResponseStream` sends.
//!
//! A message consists of its length, the length of its headers, a CRC-32 of both lengths, the
//! headers, the payload, and a CRC-32 of everything before it:
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>.

use bytes::{BufMut, Bytes, BytesMut};

/// The content type of an event stream.
pub(super) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// The largest payload of one message, which AWS limits to 24 MB.
const LARGEST_PAYLOAD: usize = 1024 * 1024;

/// The size of the lengths and checksums of a message.
const OVERHEAD: usize = 16;

/// The type of a header whose value is a string.
const STRING: u8 = 7;

/// Encodes a chunk of the response, as several messages if it is large.
pub(super) fn payload_chunk(chunk: &Bytes) -> Bytes {
    let mut messages = BytesMut::with_capacity(chunk.len() + 128);
    for payload in chunk.chunks(LARGEST_PAYLOAD) {
        put(
            &mut messages,
            "PayloadChunk",
            "application/octet-stream",
            payload,
        );
    }
    messages.freeze()
}

/// Encodes the last message of the response, whose JSON describes how the invocation ended.
pub(super) fn invoke_complete(json: &str) -> Bytes {
    let mut message = BytesMut::with_capacity(json.len() + 128);
    put(
        &mut message,
        "InvokeComplete",
        "application/json",
        json.as_bytes(),
    );
    message.freeze()
}

fn put(messages: &mut BytesMut, event_type: &str, content_type: &str, payload: &[u8]) {
    let headers = [
        (":event-type", event_type),
        (":content-type", content_type),
        (":message-type", "event"),
    ];
    // One byte for the length of the name, one for the type, and two for the length of the value.
    let header_length: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    let mut message = BytesMut::with_capacity(OVERHEAD + header_length + payload.len());
    message.put_u32(length(OVERHEAD + header_length + payload.len()));
    message.put_u32(length(header_length));
    message.put_u32(crc32fast::hash(&message));
    for (name, value) in headers {
        message.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        message.put_slice(name.as_bytes());
        message.put_u8(STRING);
        message.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        message.put_slice(value.as_bytes());
    }
    message.put_slice(payload);
    message.put_u32(crc32fast::hash(&message));
    messages.unsplit(message);
}

/// Converts a length. Payloads are limited, so it fits into 32 bits.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the first message independently of the encoder, and returns its headers, its payload
    /// and the rest.
    fn decoded(message: &[u8]) -> (Vec<(String, String)>, Vec<u8>, &[u8]) {
        let number = |at: usize| {
            let bytes: [u8; 4] = message[at..at + 4].try_into().unwrap();
            u32::from_be_bytes(bytes) as usize
        };
        let (total, headers) = (number(0), number(4));
        assert_eq!(number(8), crc32fast::hash(&message[..8]) as usize);
        assert_eq!(
            number(total - 4),
            crc32fast::hash(&message[..total - 4]) as usize
        );
        let (mut rest, payload) = message[12..total - 4].split_at(headers);
        let mut names = Vec::new();
        while let [name_length, after @ ..] = rest {
            let (name, after) = after.split_at(usize::from(*name_length));
            assert_eq!(after[0], 7);
            let length = usize::from(u16::from_be_bytes([after[1], after[2]]));
            let (value, after) = after[3..].split_at(length);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            names.push((text(name), text(value)));
            rest = after;
        }
        (names, payload.to_vec(), &message[total..])
    }

    #[test]
    fn a_message_follows_the_specification_of_smithy() {
        // The payload is that of an example in the specification, whose headers differ.
        let message = payload_chunk(&Bytes::from_static(b"{'foo':'bar'}"));
        let (headers, payload, rest) = decoded(&message);
        let header = |name: &str| {
            headers
                .iter()
                .find(|(other, _)| other == name)
                .unwrap()
                .1
                .clone()
        };
        assert_eq!(header(":message-type"), "event");
        assert_eq!(header(":event-type"), "PayloadChunk");
        assert_eq!(header(":content-type"), "application/octet-stream");
        assert_eq!(
            (payload.as_slice(), rest),
            (b"{'foo':'bar'}".as_slice(), [].as_slice())
        );
        // The checksum of the lengths of an empty message, from Smithy's test vectors.
        assert_eq!(crc32fast::hash(&[0, 0, 0, 0x10, 0, 0, 0, 0]), 0x05c2_48eb);
    }

    #[test]
    fn a_large_chunk_is_split_into_several_messages() {
        let chunk = Bytes::from(
            (0..=u8::MAX)
                .cycle()
                .take(3 * LARGEST_PAYLOAD + 5)
                .collect::<Vec<_>>(),
        );
        let messages = payload_chunk(&chunk);
        let (mut rest, mut payloads, mut count) = (messages.as_ref(), Vec::new(), 0);
        while !rest.is_empty() {
            let (_, payload, after) = decoded(rest);
            payloads.extend(payload);
            rest = after;
            count += 1;
        }
        assert_eq!((payloads.as_slice(), count), (chunk.as_ref(), 4));
        assert!(payload_chunk(&Bytes::new()).is_empty());
    }

    #[test]
    fn the_last_message_is_json() {
        let message = invoke_complete("{}");
        let (headers, payload, rest) = decoded(&message);
        assert_eq!(payload, b"{}");
        assert_eq!(headers[0].1, "InvokeComplete");
        assert_eq!(headers[1].1, "application/json");
        assert!(rest.is_empty());
    }
}
