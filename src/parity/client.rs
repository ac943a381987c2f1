//! AWS's Node runtime client, installed once into a cache folder.

use crate::error::{Error, Result};
use std::{
    env, fs, io,
    path::{self, Path, PathBuf},
    process,
};
use tokio::{process::Command, sync::Mutex};

/// The last version that runs handlers with a callback.
const VERSION: &str = "3.3.0";

/// The environment variable that names a folder with an installed client.
const FOLDER: &str = "NODEBACK_NODE_CLIENT";

/// The script that runs a function on the client, and the client's entry point.
#[derive(Clone, Debug)]
pub(super) struct NodeClient {
    pub(super) runner: PathBuf,
    pub(super) entry: PathBuf,
}

impl NodeClient {
    /// Finds the client, or has npm install it. The install scripts do not run: they would compile
    /// the HTTP module that `original.mjs` replaces.
    pub(super) async fn find_or_install() -> Result<Self> {
        // Tests of one program run concurrently.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
        let _one = ONE_AT_A_TIME.lock().await;
        version("node", "Node.js 20 or 22 from https://nodejs.org").await?;
        let folder = match env::var_os(FOLDER) {
            // Node runs in the folder of the original, so the path must be absolute.
            Some(folder) => {
                path::absolute(folder).map_err(|error| unusable(Path::new(FOLDER), &error))?
            }
            None => cache()?.join(format!("aws-lambda-ric-{VERSION}")),
        };
        let entry = folder.join("node_modules/aws-lambda-ric/dist/index.mjs");
        if !entry.exists() {
            if env::var_os(FOLDER).is_some() {
                let path = entry.display();
                return Err(missing(format!(
                    "`{FOLDER}`: {path} does not exist: `npm install --ignore-scripts aws-lambda-ric@{VERSION}` in that \
                     folder installs it"
                )));
            }
            install(&folder).await?;
        }
        let runner = cache()?.join(concat!("original-", env!("CARGO_PKG_VERSION"), ".mjs"));
        write_once(&runner, include_str!("original.mjs"))
            .map_err(|error| unusable(&runner, &error))?;
        Ok(NodeClient { runner, entry })
    }
}

async fn install(folder: &Path) -> Result<()> {
    version("npm", "npm, which comes with Node.js").await?;
    // Another run may install it at the same time. The folder gets its final name only once it is
    // complete.
    let unfinished = folder.with_extension(process::id().to_string());
    fs::create_dir_all(&unfinished).map_err(|error| unusable(&unfinished, &error))?;
    fs::write(unfinished.join("package.json"), r#"{ "private": true }"#)
        .map_err(|error| unusable(&unfinished, &error))?;
    let package = format!("aws-lambda-ric@{VERSION}");
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        &package,
    ])
    .current_dir(&unfinished)
    .kill_on_drop(true);
    let installed = npm
        .output()
        .await
        .map_err(|error| missing(format!("npm: {error}")))?;
    if !installed.status.success() {
        let said = String::from_utf8_lossy(&installed.stderr);
        let _ = fs::remove_dir_all(&unfinished);
        return Err(missing(format!(
            "`npm install {package}` failed. It needs the network once; `{FOLDER}` names a folder that has the package. \
             npm's message: {}",
            said.trim()
        )));
    }
    if fs::rename(&unfinished, folder).is_err() {
        // Another run has installed it in the meantime.
        let _ = fs::remove_dir_all(&unfinished);
    }
    Ok(())
}

/// Checks that a program can be run. The error says what to install.
async fn version(program: &str, install: &str) -> Result<()> {
    let ran = Command::new(program)
        .arg("--version")
        .kill_on_drop(true)
        .output()
        .await;
    match ran {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(missing(format!(
            "`{program}` cannot be run: install {install}"
        ))),
    }
}

/// Returns a folder for files that can be recreated.
fn cache() -> Result<PathBuf> {
    let from = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")));
    match cache {
        Some(cache) => {
            let cache = path::absolute(cache.join("nodeback"));
            cache.map_err(|error| unusable(Path::new("XDG_CACHE_HOME"), &error))
        }
        None => Err(missing(
            "neither `XDG_CACHE_HOME` nor `HOME` is set: expected a folder for the Node client"
                .into(),
        )),
    }
}

/// Writes a file that other runs may be reading.
fn write_once(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(process::id().to_string());
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, path)
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    missing(format!("{}: {error}", path.display()))
}

fn missing(message: String) -> Error {
    Error::ours("Runtime.NodeClientMissing", message)
}
