//! The X-Ray trace header of a request, which its response repeats.

use super::rejection::set;
use axum::http::HeaderMap;

/// The length of the longest trace header that is sent back.
const LONGEST: usize = 256;

/// Adds the trace header of the request to a response of the Invoke API, if it is valid: other text
/// of a client never becomes a header. On AWS, a response has a trace header in any case.
pub(super) fn send_back(headers: &mut HeaderMap, trace_id: Option<&str>) {
    if let Some(trace_id) = trace_id.filter(|id| is_valid(id)) {
        set(headers, "x-amzn-trace-id", trace_id);
    }
}

/// Returns whether a text is a list such as `Root=1-67891233-abcdef012345678912345678;Sampled=1`.
/// It has exactly one `Root`. The other members may have any name and any order: a load balancer
/// adds `Self`, Lambda adds `Lineage`, and an application may add its own.
fn is_valid(text: &str) -> bool {
    let members = text.strip_suffix(';').unwrap_or(text).split(';');
    let mut roots = 0;
    text.len() <= LONGEST
        && members.map(|member| member.split_once('=')).all(|member| {
            let Some((name, value)) = member else {
                return false;
            };
            let is_root = name.eq_ignore_ascii_case("root");
            roots += usize::from(is_root);
            is_name(name) && is_value(value) && (!is_root || is_trace_id(value))
        })
        && roots == 1
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_value(text: &str) -> bool {
    let is_expected = |byte: u8| byte.is_ascii_alphanumeric() || b":|,?-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_expected)
}

/// Returns whether a text is a trace ID: a version, a time and a random number.
fn is_trace_id(text: &str) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let parts: Vec<_> = text.split('-').collect();
    matches!(*parts, ["1", time, random] if is_hex(time, 8) && is_hex(random, 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-6951d70a-3f43124672de60387a603d5d";

    #[test]
    fn every_valid_trace_header_is_sent_back() {
        for header in [
            "Root",
            "Root;",
            "Root;Sampled=?",
            "Root;Parent=4891d1a21b62b07d;Sampled=1",
            "Root;Parent=4891d1a21b62b07d;Sampled=0;Lineage=1:ddf3d3e0:0",
            "Root;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2",
            "Root;CalledFrom=app",
            "Self=1-67891234-12456789abcdef012345678;Root",
            "Sampled=1;Root;Parent=4891d1a21b62b07d",
        ] {
            let header = header.replace("Root", ROOT);
            assert!(is_valid(&header), "{header}");
            assert!(is_valid(&header.to_lowercase()), "{header}");
        }
    }

    #[test]
    fn other_text_is_not_sent_back() {
        for header in [
            "",
            ";",
            "x",
            "Parent=4891d1a21b62b07d",
            "Root=",
            "Root=1-2-3",
            "Root=2-6951d70a-3f43124672de60387a603d5d",
            "Root=1-6951d70a-3f43124672de60387a603d5",
            "Root=1-6951d70g-3f43124672de60387a603d5d",
            "Root=1-6951d70a-3f43124672de60387a603d5d-0",
        ] {
            assert!(!is_valid(header), "{header}");
        }
        for rest in [
            ";",
            "Root=1-2-3",
            ROOT,
            "Sampled",
            "Sampled=",
            "=1",
            "a b=1",
            "a=b=c",
            "a=<b>",
            "a=\u{17c}",
            "a=1\r\nx: y",
        ] {
            let header = format!("{ROOT};{rest}");
            assert!(!is_valid(&header), "{header}");
            let header = format!("{rest};{ROOT}");
            assert!(!is_valid(&header), "{header}");
        }
        let long = |length: usize| format!("{ROOT};a={}", "b".repeat(length - ROOT.len() - 3));
        assert!(is_valid(&long(LONGEST)));
        assert!(!is_valid(&long(LONGEST + 1)));
    }
}
