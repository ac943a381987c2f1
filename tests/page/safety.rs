//! Foreign web pages cannot use the page, and no text becomes markup on it.

use super::Server;
use nodeback::{Callback, Context, Error, Value, json};
use reqwest::{Client, Method, StatusCode};

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u{202e}";

fn fails(event: Value, _: Context, callback: Callback) {
    callback.fail(Error::new(
        HOSTILE,
        event["text"].as_str().unwrap_or_default(),
    ))
}

#[tokio::test]
async fn a_page_of_another_origin_is_rejected() {
    let server = Server::start(fails).await;
    server.invoke("{}").await;
    for (method, path) in [
        (Method::GET, ""),
        (Method::GET, "main.js"),
        (Method::GET, "api/program"),
        (Method::GET, "api/samples/s3"),
        (Method::GET, "api/invocations"),
        (Method::GET, "api/invocations/1"),
        (Method::GET, "api/invocations/1/event"),
        (Method::GET, "api/invocations/1/response"),
        (Method::GET, "api/invocations/1/timeline"),
        (Method::POST, "api/invoke?function=f"),
        (Method::POST, "api/invocations/1/repeat"),
        (Method::POST, "api/check"),
    ] {
        for (header, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("referer", "http://localhost:3000/"),
            ("host", "rebound.example"),
        ] {
            let request = Client::new().request(method.clone(), server.url(path));
            let response = request.header(header, value).send().await.unwrap();
            assert_eq!(
                response.status(),
                StatusCode::FORBIDDEN,
                "{path}, {header}: {value}"
            );
            assert_eq!(
                response.headers()["content-security-policy"],
                "default-src 'none'"
            );
        }
    }
    let all = server.feed().await.next().await.unwrap();
    assert_eq!(all["invocations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_text_becomes_markup() {
    let server = Server::start(fails).await;
    let event = json!({ "text": HOSTILE }).to_string();
    let details = server.invoke(event.clone()).await;
    // JSON contains the text unchanged.
    assert_eq!(details["event"]["text"], event);
    let error: Value = serde_json::from_str(details["error"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&json!(HOSTILE), &json!(HOSTILE))
    );
    for (path, content_type) in [
        ("api/invocations/1", "application/json"),
        ("api/invocations/1/event", "application/octet-stream"),
        ("api/invocations/1/response", "application/octet-stream"),
        ("api/invocations/1/timeline", "text/html; charset=utf-8"),
        ("api/program", "application/json"),
        ("api/samples/s3", "text/plain; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("", "text/html; charset=utf-8"),
        ("nothing", "application/json"),
    ] {
        let response = server.get(path).await;
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], content_type, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        if content_type == "application/octet-stream" {
            let disposition = headers["content-disposition"].to_str().unwrap();
            assert!(disposition.starts_with("attachment; "), "{disposition}");
        }
        if content_type.starts_with("text/html") {
            let html = response.text().await.unwrap();
            assert!(
                !html.contains("alert(1)</script>") && !html.contains("<img"),
                "{html}"
            );
        }
    }
}

/// No script converts text to markup. The content security policy forbids that too, which
/// tests/browser.rs checks.
#[tokio::test]
async fn no_script_of_the_page_writes_markup() {
    let server = Server::start(fails).await;
    for file in [
        "main.js",
        "dom.js",
        "form.js",
        "list.js",
        "opened.js",
        "snippets.js",
        "timeline.js",
    ] {
        let script = server.get(file).await.text().await.unwrap();
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "DOMParser",
            "srcdoc",
        ] {
            assert!(!script.contains(sink), "{file} has {sink}");
        }
    }
}
