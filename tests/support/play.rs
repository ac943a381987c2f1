//! Sends events to the process of a function, which is the original on AWS's Node client or the
//! port, and records what it posts.

use crate::support::runtime_api::{Event, RuntimeApi};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::{Child, Command};

/// The folder of the JavaScript, the `file.export` of the handler, and its events.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) folder: &'static str,
    pub(crate) handler: String,
    pub(crate) events: Vec<String>,
    /// Additional environment variables of the process.
    pub(crate) environment: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Node,
    Rust,
}

/// Returns what is posted for each event: the endpoint, and the body without the trace of an error.
pub(crate) async fn play(side: Side, case: &Case) -> Vec<String> {
    let mut api = RuntimeApi::start().await;
    let _process = start(side, case, &api);
    let mut posted = Vec::new();
    for (at, event) in case.events.iter().enumerate() {
        let posted_now = api.invoke(Event {
            request_id: format!("00000000-0000-4000-8000-{at:012}"),
            body: event.clone(),
            headers: vec![],
        });
        let posted_now = posted_now.await;
        let body = String::from_utf8(posted_now.body.into()).unwrap();
        // This text cannot occur within a JSON string, where its quotes would be escaped.
        let body = body
            .split_once(r#","trace":["#)
            .map_or(&*body, |(error, _)| error);
        posted.push(format!("{} {body}", posted_now.endpoint));
    }
    posted
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(crate::support::ROOT)
}

/// Returns the path of the client that `tests/live/node.sh` installed.
pub(crate) fn node_client() -> PathBuf {
    root().join("target/live/node/node_modules/aws-lambda-ric/dist/index.mjs")
}

fn start(side: Side, case: &Case, api: &RuntimeApi) -> Child {
    let mut command = match side {
        Side::Node => {
            let mut command = Command::new("node");
            command
                .arg(root().join("src/parity/original.mjs"))
                .arg(node_client())
                .arg(root().join(case.folder))
                .arg(&case.handler)
                .process_group(0);
            command
        }
        Side::Rust => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--ignored", "--exact", "function", "--nocapture"]);
            command
        }
    };
    command
        .current_dir(root().join(case.folder))
        .env("_HANDLER", &case.handler)
        .envs(case.environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    crate::support::on_lambda(command.as_std_mut(), api.address);
    command.spawn().unwrap()
}
