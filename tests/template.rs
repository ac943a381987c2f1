//! Tests `examples/template`, from which `cargo lambda new` creates projects. The code of the
//! template and its unit tests are part of this test program.

mod support;
#[path = "../examples/template/src/main.rs"]
#[allow(dead_code, reason = "its `main` is not called")]
mod template;

use std::{
    env, fs,
    process::{self, Command},
};
use support::ROOT;

#[test]
#[ignore = "needs tests/live/python.sh"]
fn cargo_lambda_creates_a_project_from_the_template() {
    // The project has to be outside this workspace: cargo would take it for a member.
    let folder = env::temp_dir().join(format!("nodeback-template-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let root = fs::canonicalize(ROOT).unwrap();
    let made = Command::new(root.join("target/live/python/bin/cargo-lambda"))
        .args(["lambda", "new", "--no-interactive", "--template"])
        .arg(root.join("examples/template"))
        .arg(format!("--render-var=nodeback={}", root.display()))
        .arg("orders")
        .current_dir(&folder)
        .status();
    assert!(made.unwrap().success());
    let project = folder.join("orders");
    assert!(!project.join("CargoLambda.toml").exists());
    let mut checked = Command::new(env!("CARGO"));
    checked.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let metadata = checked.current_dir(&project).output().unwrap();
    let metadata: nodeback::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let package = &metadata["packages"][0];
    assert_eq!(package["name"], "orders");
    assert_eq!(package["dependencies"][0]["name"], "nodeback");
    assert_eq!(package["metadata"]["lambda"]["deploy"]["memory"], 128);
    fs::remove_dir_all(&folder).unwrap();
}
