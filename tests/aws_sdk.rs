//! The examples of `examples/aws_sdk` beside their originals on the AWS SDK for JavaScript, over moto, a server that
//! stands in for AWS. The originals run on the real Node runtime client. A streaming handler is called by the SDK.

#[path = "../examples/aws_sdk/alarms.rs"]
#[allow(dead_code, reason = "its main")]
mod alarms;
#[path = "../examples/aws_sdk/documents.rs"]
#[allow(dead_code, reason = "its main")]
mod documents;
#[path = "../examples/aws_sdk/orders.rs"]
#[allow(dead_code, reason = "its main")]
mod orders;
#[path = "support/play.rs"]
mod play;
mod support;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_kms::primitives::Blob;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use nodeback::{
    Callback, Context, Error, Handler, ResponseStream, Value, json,
    parity::{Comparison, ParityReport, RequestRecorder},
    spawn_then, streamify_response,
};
use play::{Case, Side, node_client, play, root};
use std::{fs, net::TcpListener, path::Path, process::Stdio, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::Notify,
};

/// The AWS of a test.
struct Moto {
    endpoint: String,
    _process: Child,
}

impl Moto {
    async fn start() -> Self {
        let folder = root().join("target/live/aws");
        assert!(
            folder.join("complete").exists(),
            "run tests/live/aws.sh first"
        );
        let mut process = Command::new(folder.join("python/bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let endpoint = loop {
            let line = lines.next_line().await.unwrap().expect("moto ended");
            if let Some(at) = line.find("http://127.0.0.1:") {
                break line[at..].trim().to_owned();
            }
        };
        // It would stop at a pipe that is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Moto {
            endpoint,
            _process: process,
        }
    }

    /// The environment of a function, and of the configuration below.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let modules = root().join("target/live/aws/node_modules");
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "key".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
            ("AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE", "1".into()),
            ("NODE_PATH", modules.display().to_string()),
        ]
    }

    /// Starts anew, with the tables, the bucket and the key of the examples. Returns a token that is encrypted with
    /// the key.
    async fn reset(&self) -> String {
        let reset = reqwest::Client::new().post(format!("{}/moto-api/reset", self.endpoint));
        reset.send().await.unwrap().error_for_status().unwrap();
        let config = config(&self.endpoint).await;

        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let items = [
            ("customers", "id", json!({ "id": "c1", "name": "Ada" })),
            (
                "orders",
                "id",
                json!({ "id": "7", "sku": "tea", "quantity": 3, "customer": "c1" }),
            ),
            ("stock", "sku", json!({ "sku": "tea", "pieces": 50 })),
        ];
        for (table, key, item) in items {
            let attribute = AttributeDefinition::builder()
                .attribute_name(key)
                .attribute_type(ScalarAttributeType::S);
            let schema = KeySchemaElement::builder()
                .attribute_name(key)
                .key_type(KeyType::Hash);
            let create = dynamodb
                .create_table()
                .table_name(table)
                .attribute_definitions(attribute.build().unwrap())
                .key_schema(schema.build().unwrap())
                .billing_mode(BillingMode::PayPerRequest);
            create.send().await.unwrap();
            let item = serde_dynamo::to_item(item).unwrap();
            let put = dynamodb.put_item().table_name(table).set_item(Some(item));
            put.send().await.unwrap();
        }

        let s3 = s3(&config);
        s3.create_bucket().bucket("documents").send().await.unwrap();

        let kms = aws_sdk_kms::Client::new(&config);
        let key = kms
            .create_key()
            .send()
            .await
            .unwrap()
            .key_metadata
            .unwrap()
            .key_id;
        let encrypt = kms.encrypt().key_id(key).plaintext(Blob::new("s3cret"));
        BASE64.encode(encrypt.send().await.unwrap().ciphertext_blob.unwrap())
    }
}

async fn config(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .test_credentials()
        // Without TLS, which takes long to build.
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}

fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

#[tokio::test]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    let config = config(&std::env::var("AWS_ENDPOINT_URL").unwrap()).await;
    let ran = match name.as_str() {
        "alarms.handler" => {
            let kms = aws_sdk_kms::Client::new(&config);
            nodeback::run(move |event: Value, _: Context, callback: Callback| {
                alarms::handler(&kms, event, callback)
            })
            .await
        }
        "documents.handler" => {
            let s3 = s3(&config);
            nodeback::run(move |event: Value, _: Context, callback: Callback| {
                documents::handler(&s3, &event, callback)
            })
            .await
        }
        "orders.handler" => {
            let documents = aws_sdk_dynamodb::Client::new(&config);
            nodeback::run(move |event: Value, _: Context| orders::handler(documents.clone(), event))
                .await
        }
        _ => panic!("no handler is called {name}"),
    };
    ran.unwrap();
}

/// Node names it so, too, with a message of its own.
#[tokio::test]
async fn a_service_that_cannot_be_reached_is_a_networking_error() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = config(&format!("http://{closed}")).await;
    let config = config
        .to_builder()
        .retry_config(RetryConfig::disabled())
        .build();
    let kms = aws_sdk_kms::Client::new(&config);
    let handler = move |_: Value, _: Context, callback: Callback| {
        spawn_then(kms.list_keys().send(), move |err, _| callback(err, None));
    };
    let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
    let error = outcome.result.unwrap_err();
    assert_eq!(error.code(), Some("NetworkingError"));
    assert_eq!(error.message(), "Connection refused (os error 111)");
    assert_eq!(error.member("retryable"), Some(&json!(true)));
}

#[tokio::test]
async fn a_client_without_credentials_has_a_name_for_that() {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let kms = aws_sdk_kms::Client::from_conf(config.build());
    let handler = move |_: Value, _: Context, callback: Callback| {
        spawn_then(kms.list_keys().send(), move |err, _| callback(err, None));
    };
    let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
    let error = outcome.result.unwrap_err();
    assert_eq!(error.code(), Some("CredentialsError"), "{error:?}");
}

/// The SDK calls the local server, and reads each chunk when it is written.
#[tokio::test]
async fn invoke_with_response_stream_is_read_by_the_sdk() {
    use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent::{
        InvokeComplete, PayloadChunk,
    };

    let (listener, go_on) = (
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(),
        Arc::new(Notify::new()),
    );
    let address = listener.local_addr().unwrap();
    let steps = Arc::clone(&go_on);
    let handler = move |event: Value, stream: ResponseStream| {
        let steps = Arc::clone(&steps);
        async move {
            stream.write("one").await?;
            steps.notified().await;
            stream.write(b"\xff\x00").await?;
            match event["fails"] {
                Value::Null => stream.end().await,
                _ => Err(Error::new("TornPage", "in the middle")),
            }
        }
    };
    let runtime = nodeback::Runtime::new(streamify_response(handler));
    tokio::spawn(runtime.serve(listener, std::future::pending()));

    let lambda = aws_sdk_lambda::Client::new(&config(&format!("http://{address}")).await);
    for (event, error_code) in [("{}", None), (r#"{"fails":true}"#, Some("TornPage"))] {
        let invoke = lambda.invoke_with_response_stream().function_name("f");
        let invoke = invoke.payload(Blob::new(event));
        let mut response = invoke.send().await.unwrap();
        assert_eq!(response.status_code(), 200);
        for expected in [&b"one"[..], b"\xff\x00"] {
            let event = response.event_stream.recv().await.unwrap();
            let Some(PayloadChunk(chunk)) = event else {
                panic!("{event:?}")
            };
            assert_eq!(chunk.payload().unwrap().as_ref(), expected);
            if expected == b"one" {
                // The handler has waited for this.
                go_on.notify_one();
            }
        }
        let event = response.event_stream.recv().await.unwrap();
        let Some(InvokeComplete(complete)) = event else {
            panic!("{event:?}")
        };
        assert_eq!(complete.error_code(), error_code);
        let details = complete.error_details().unwrap_or_default();
        assert_eq!(details.contains("in the middle"), error_code.is_some());
        assert!(response.event_stream.recv().await.unwrap().is_none());
    }
}

#[tokio::test]
#[ignore = "needs tests/live/aws.sh and tests/live/node.sh"]
async fn the_originals_on_node_respond_the_same() {
    assert!(node_client().exists(), "run tests/live/node.sh first");
    let moto = Moto::start().await;
    let mut invocations = 0;
    for name in ["alarms", "documents", "orders"] {
        let events =
            fs::read_to_string(root().join(format!("examples/aws_sdk/{name}.jsonl"))).unwrap();
        let mut seen = Vec::new();
        for side in [Side::Node, Side::Rust] {
            let token = moto.reset().await;
            let events = events.replace("$TOKEN", &token);
            let case = Case {
                folder: "examples/aws_sdk",
                handler: format!("{name}.handler"),
                events: events.lines().map(String::from).collect(),
                environment: moto.environment(),
            };
            let played = play(side, &case).await;
            seen.push((case, played));
        }
        let [(case, node), (_, here)] = &seen[..] else {
            unreachable!()
        };
        for ((event, node), here) in case.events.iter().zip(node).zip(here) {
            println!("{name} {event}\n    {node}");
            assert_eq!(node, here, "{name} {event}");
            invocations += 1;
        }
    }
    println!("{invocations} invocations, all the same");
}

/// Compares an example with an original on Node, and what both send. The SDK for JavaScript is beside the original.
async fn compared<M, H: Handler<M>>(
    moto: &Moto,
    original: &str,
    events: &Path,
    port: impl FnOnce(SdkConfig) -> H,
) -> ParityReport {
    let copy = root().join("target/live/aws").join(original);
    fs::copy(root().join("examples/aws_sdk").join(original), &copy).unwrap();
    let original = copy.with_extension("handler").display().to_string();
    let recorder = RequestRecorder::start(&moto.endpoint).unwrap();
    let handler = port(config(recorder.endpoint()).await);
    let comparison = Comparison::new(original, events).requests(&recorder);
    let report = comparison.run(handler).await.unwrap();
    println!("{report}");
    report
}

/// The original is on version 3 of the SDK, whose requests the recorder gets without a change of the original.
#[tokio::test]
#[ignore = "needs tests/live/aws.sh, node and npm"]
async fn an_original_on_version_3_sends_the_same_requests() {
    let moto = Moto::start().await;
    let events = root().join("examples/aws_sdk/orders_v3");
    let same: fn(&mut Value) = |_| ();
    let other_key: fn(&mut Value) = |event| {
        if event["id"] == "7" {
            event["id"] = "07".into();
        }
    };
    let found = r#"requests/0/body/Key/id/S   "7" | "07""#;
    for (change, expected) in [(same, None), (other_key, Some(found))] {
        moto.reset().await;
        let report = compared(&moto, "orders_v3.js", &events, |config| {
            let documents = aws_sdk_dynamodb::Client::new(&config);
            move |mut event: Value, _: Context| {
                change(&mut event);
                orders::handler(documents.clone(), event)
            }
        });
        let report = report.await;
        assert_eq!(report.is_same(), expected.is_none(), "{report}");
        assert!(
            report.to_string().contains(expected.unwrap_or_default()),
            "{report}"
        );
    }
}

/// They have the one line that version 2 of the SDK needs.
#[tokio::test]
#[ignore = "needs tests/live/aws.sh, node and npm"]
async fn originals_on_version_2_send_the_same_requests() {
    let moto = Moto::start().await;
    for name in ["alarms", "documents", "orders"] {
        let token = moto.reset().await;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("requests")
            .join(name);
        fs::create_dir_all(&folder).unwrap();
        // Version 2 opens a connection for each request. Whether it is closed when the callback signals, chance decides.
        let settings = r#"{ "ignore": ["deferred"], "accepted": [ACCEPTED] }"#;
        let number = r#"{ "event": "orders.jsonl:3", "path": "requests/0/body/Item/prices/L/1/N", "reason": "the same number" }"#;
        let accepted = if name == "orders" { number } else { "" };
        fs::write(
            folder.join("parity.json"),
            settings.replace("ACCEPTED", accepted),
        )
        .unwrap();
        let file = format!("{name}.jsonl");
        let events = fs::read_to_string(root().join("examples/aws_sdk").join(&file)).unwrap();
        let original = format!("{name}.js");
        fs::write(folder.join(file), events.replace("$TOKEN", &token)).unwrap();
        let report = match name {
            "alarms" => {
                let port = |config: SdkConfig| {
                    let kms = aws_sdk_kms::Client::new(&config);
                    move |event: Value, _: Context, callback: Callback| {
                        alarms::handler(&kms, event, callback)
                    }
                };
                compared(&moto, &original, &folder, port).await
            }
            "documents" => {
                let port = |config: SdkConfig| {
                    let s3 = s3(&config);
                    move |event: Value, _: Context, callback: Callback| {
                        documents::handler(&s3, &event, callback)
                    }
                };
                compared(&moto, &original, &folder, port).await
            }
            _ => {
                let port = |config: SdkConfig| {
                    let documents = aws_sdk_dynamodb::Client::new(&config);
                    move |event: Value, _: Context| orders::handler(documents.clone(), event)
                };
                compared(&moto, &original, &folder, port).await
            }
        };
        assert!(report.is_same(), "{report}");
    }
}
