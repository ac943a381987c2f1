//! The files of the page, which are part of the binary.

use super::not_found;
use crate::{local::rejection::set, page::STYLE};
use axum::{body::Body, extract::Path, http::Response};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The name, the type and the content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("icon.svg", SVG, include_str!("static/icon.svg")),
    // Timelines look as in a report.
    ("report.css", CSS, STYLE),
    ("page.css", CSS, include_str!("static/page.css")),
    ("main.js", JAVASCRIPT, include_str!("static/main.js")),
    ("dom.js", JAVASCRIPT, include_str!("static/dom.js")),
    ("form.js", JAVASCRIPT, include_str!("static/form.js")),
    ("list.js", JAVASCRIPT, include_str!("static/list.js")),
    ("opened.js", JAVASCRIPT, include_str!("static/opened.js")),
    (
        "snippets.js",
        JAVASCRIPT,
        include_str!("static/snippets.js"),
    ),
    (
        "timeline.js",
        JAVASCRIPT,
        include_str!("static/timeline.js"),
    ),
];

pub(super) async fn index() -> Response<Body> {
    respond(HTML, include_str!("static/index.html"))
}

pub(super) async fn file(Path(name): Path<String>) -> Response<Body> {
    let found = FILES.iter().find(|(file, ..)| *file == name);
    found.map_or_else(not_found, |(_, content_type, content)| {
        respond(content_type, content)
    })
}

fn respond(content_type: &str, content: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(content));
    set(response.headers_mut(), "content-type", content_type);
    response
}
