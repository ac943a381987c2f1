//! The port of `legacy/index.js`, and a server that stands in for AWS.

use axum::{Router, extract::State, http::HeaderMap, response::IntoResponse};
use futures::future::try_join_all;
use nodeback::{Result, Value, error, json};
use std::{collections::HashMap, sync::Arc};
use tokio::{net::TcpListener, sync::Barrier};

/// Sends a request as an SDK does, with other headers than the original.
async fn send(endpoint: &str, request: &Value) -> Result<Value> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let text = |value: &Value| value.as_str().map(String::from);
    let operation = text(&request["operation"]).ok_or_else(|| error!("no operation"))?;
    let scope = "Credential=other/20260102/us-east-1/dynamodb/aws4_request";
    let sent = client
        .post(endpoint)
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 {scope}, Signature=0"),
        )
        .header("content-type", "application/x-amz-json-1.0")
        .header("amz-sdk-request", "attempt=1; max=3")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .body(request["body"].to_string());
    let response = sent.send().await?;
    let status = response.status().as_u16();
    Ok(json!({ "status": status, "body": response.json::<Value>().await? }))
}

/// Sends the steps of an event.
pub(crate) async fn port(endpoint: &str, event: &Value) -> Result<Value> {
    let mut responses = Vec::new();
    for step in event["steps"].as_array().into_iter().flatten() {
        let step = step.as_array().into_iter().flatten();
        responses.push(try_join_all(step.map(|request| send(endpoint, request))).await?);
    }
    Ok(json!(responses))
}

#[derive(Clone, Default)]
pub(crate) struct Aws {
    pub(crate) items: Arc<parking_lot::Mutex<HashMap<String, Value>>>,
    pub(crate) requests: Arc<parking_lot::Mutex<Vec<String>>>,
    /// Makes the requests for the keys 2 and 3, if the original sends them concurrently, wait for
    /// each other. On a busy machine they may arrive far apart.
    pub(crate) concurrent: Option<Arc<Barrier>>,
}

impl Aws {
    /// Starts a server with a table, and returns its URL.
    pub(crate) async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(respond).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }
}

/// Gets an item, or puts one under a key that is free.
async fn respond(State(aws): State<Aws>, headers: HeaderMap, body: String) -> impl IntoResponse {
    let operation = headers["x-amz-target"]
        .to_str()
        .unwrap()
        .rsplit('.')
        .next()
        .unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    let key = body["Key"].to_string();
    aws.requests.lock().push(format!("{operation} {key}"));
    if let (Some(concurrent), "2" | "3") = (&aws.concurrent, &*key) {
        concurrent.wait().await;
    }
    let mut items = aws.items.lock();
    let there = items.get(&key).cloned();
    if operation == "GetItem" {
        return (http::StatusCode::OK, json!({ "Item": there }).to_string());
    }
    if there.is_some() {
        let failed = json!({ "__type": "ConditionalCheckFailedException" });
        return (http::StatusCode::BAD_REQUEST, failed.to_string());
    }
    items.insert(key, body["Item"].clone());
    (http::StatusCode::OK, json!({}).to_string())
}
