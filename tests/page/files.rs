//! The files of the page, and the events that it offers.

use super::Server;
use crate::support::{Folder, Process, example};
use nodeback::{Context, Value, json};
use reqwest::{Client, StatusCode};
use std::{
    fs,
    io::{BufRead, BufReader},
};

async fn server() -> Server {
    Server::start(async |event: Value| -> Result<Value, nodeback::Error> {
        panic!("the function was called with {event}")
    })
    .await
}

#[tokio::test]
async fn the_page_requests_nothing_but_its_own_files() {
    let server = server().await;
    let index = server.get("").await;
    assert_eq!(index.headers()["content-type"], "text/html; charset=utf-8");
    let index = index.text().await.unwrap();
    // `src="main.js"` and `href="page.css"`.
    let files = index.split(['"', ' ', '>']);
    let files = files
        .filter(|file| file.ends_with(".js") || file.ends_with(".css") || file.ends_with(".svg"));
    let mut files: Vec<String> = files.map(String::from).collect();
    let mut seen = 0;
    while let Some(file) = files.get(seen).cloned() {
        seen += 1;
        let response = server.get(&file).await;
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        let content = response.text().await.unwrap();
        // The namespace of SVG is a name and causes no request.
        let content = content.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !content.contains("//www") && !content.contains("https:"),
            "{file}"
        );
        for module in content.split("from './").skip(1) {
            let module = module.split('\'').next().unwrap().to_owned();
            if !files.contains(&module) {
                files.push(module);
            }
        }
    }
    assert!(files.len() >= 9, "{files:?}");
    assert!(!index.contains("http"), "{index}");
}

#[tokio::test]
async fn its_paths_never_reach_the_function() {
    let server = server().await;
    for path in [
        "x",
        "api",
        "api/x",
        "api/invocations/x",
        "api/invocations/1/x",
        "x/../../_nodeback/y",
    ] {
        let response = server.get(path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let client = Client::new();
    let wrong = client.delete(server.url("")).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
    let without_slash = server.url("");
    let followed = client.get(without_slash.trim_end_matches('/')).send();
    assert_eq!(followed.await.unwrap().url().path(), "/_nodeback/");
}

/// A copied test sets what differs from the defaults of the builder.
#[tokio::test]
async fn the_page_knows_the_defaults_of_the_builder() {
    let context = Context::default();
    let snippets = server().await.get("snippets.js").await;
    let snippets = snippets.text().await.unwrap();
    for (member, value) in [
        ("invoked_function_arn", &context.invoked_function_arn),
        ("function_version", &context.function_version),
        ("memory_limit_in_mb", &context.memory_limit_in_mb),
    ] {
        let line = format!("\n  {member}: '{value}',\n");
        assert!(snippets.contains(&line), "{snippets}");
    }
}

#[tokio::test]
async fn each_sample_is_an_event() {
    let server = server().await;
    let program = server.json("api/program").await;
    let samples = program["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 13);
    for sample in samples {
        let name = sample["name"].as_str().unwrap();
        let event = server.get(&format!("api/samples/{name}")).await;
        let event = event.text().await.unwrap();
        assert!(
            serde_json::from_str::<Value>(&event).unwrap().is_object(),
            "{name}"
        );
        let checked = server.post("api/check", event).await;
        assert_eq!(checked.json::<Value>().await.unwrap(), Value::Null);
    }
    assert_eq!(program["folder"], Value::Null);
    let none = server.get("api/files/hello.json").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
}

/// Parses the HTTP samples with the crate that Rust handlers use.
#[tokio::test]
async fn the_http_samples_are_valid_aws_events() {
    use aws_lambda_events::{alb, apigw, lambda_function_urls};
    fn read<T: for<'de> serde::Deserialize<'de>>(event: &str) {
        serde_json::from_str::<T>(event).map(drop).unwrap();
    }
    type Read = fn(&str);
    let server = server().await;
    for (name, read) in [
        (
            "api-gateway-rest",
            read::<apigw::ApiGatewayProxyRequest> as Read,
        ),
        ("api-gateway-http", read::<apigw::ApiGatewayV2httpRequest>),
        (
            "function-url",
            read::<lambda_function_urls::LambdaFunctionUrlRequest>,
        ),
        ("alb", read::<alb::AlbTargetGroupRequest>),
    ] {
        let event = server.get(&format!("api/samples/{name}")).await;
        read(&event.text().await.unwrap());
    }
}

#[tokio::test]
async fn the_files_of_the_folder_are_offered_and_no_others() {
    let folder = Folder::new("page-events");
    for (name, content) in [
        ("b.json", "\u{feff}{\"b\":1}"),
        ("a b.json", "[1,"),
        ("notes.txt", "no event"),
        ("<img src=x>.json", "{}"),
    ] {
        fs::write(folder.path(name), content).unwrap();
    }
    fs::write(folder.path("latin1.json"), b"\"\xe9\"").unwrap();
    fs::create_dir(folder.path("folder.json")).unwrap();
    fs::write(folder.path("folder.json/inner.json"), "{}").unwrap();
    let large = fs::File::create(folder.path("large.json")).unwrap();
    large.set_len(7 * 1024 * 1024).unwrap();

    let mut hello = Process::spawn(
        example("hello")
            .args(["--listen=127.0.0.1:0", "--events"])
            .arg(folder.path("")),
    );
    let lines = BufReader::new(hello.stdout()).lines().map(Result::unwrap);
    let mut lines = lines.filter_map(|line| line.strip_prefix("Page: ").map(String::from));
    let page = lines.next().unwrap();
    let get = async |path: &str| {
        Client::new()
            .get(format!("{page}api/{path}"))
            .send()
            .await
            .unwrap()
    };
    let program: Value = get("program").await.json().await.unwrap();
    let names = [
        "<img src=x>.json",
        "a b.json",
        "b.json",
        "folder.json",
        "large.json",
        "latin1.json",
    ];
    assert_eq!(program["folder"], json!({ "files": names }));
    assert_eq!(program["name"], "hello");
    for (name, status, expected) in [
        ("b.json", 200, "{\"b\":1}"),
        // The page shows where it is not JSON.
        ("a%20b.json", 200, "[1,"),
        ("folder.json", 400, "expected a file"),
        ("latin1.json", 400, "in UTF-8"),
        ("large.json", 400, "at most 6291456 bytes"),
        ("notes.txt", 404, ""),
        ("..%2Fhello.json", 404, ""),
        ("folder.json%2Finner.json", 404, ""),
        ("%2Fetc%2Fpasswd", 404, ""),
    ] {
        let response = get(&format!("files/{name}")).await;
        assert_eq!(response.status(), status, "{name}");
        let text = response.text().await.unwrap();
        assert!(text.contains(expected), "{name}: {text}");
    }
    // Files that are added later are offered too.
    fs::write(folder.path("later.json"), "7").unwrap();
    assert_eq!(get("files/later.json").await.text().await.unwrap(), "7");
}

#[test]
fn a_missing_folder_is_an_error_at_the_start() {
    let missing = example("hello")
        .args(["--events", "no-such-folder"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(1));
    let mistake = String::from_utf8_lossy(&missing.stderr);
    assert!(mistake.contains("`--events no-such-folder`"), "{mistake}");
}
