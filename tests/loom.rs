//! Runs the loom models in `tests/loom/models.rs`, which are a separate package.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn every_loom_model_holds() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--package", "nodeback-loom"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{text}");
}
