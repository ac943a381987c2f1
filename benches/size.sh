#!/usr/bin/env bash
# What nodeback adds to a function on Lambda, beside the same handler on bare lambda_runtime: crates,
# the size of the stripped binary, and the processor time that a build from nothing takes, which a
# busy machine alters less than the time on the wall. Makes both projects in target/size; takes
# several minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
folder=target/size
runtime=$(sed -n 's/^lambda_runtime = { version = "\([^"]*\)".*/\1/p' Cargo.toml)

project() {
    local name=$1 dependency=$2
    mkdir -p "$folder/$name/src"
    cp Cargo.lock "$folder/$name/"
    cat >"$folder/$name/Cargo.toml" <<END
[package]
name = "$name"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
$dependency
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }

[profile.release]
strip = true

[profile.small]
inherits = "release"
opt-level = "z"
lto = true
codegen-units = 1
END
    cat >"$folder/$name/src/main.rs"
}

project bare "lambda_runtime = { version = \"$runtime\", default-features = false }
serde_json = \"1\"" <<'END'
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    let Some(name) = event["name"].as_str() else {
        return Err("name is missing".into());
    };
    Ok(json!({ "hello": name, "request": context.request_id }))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handler)).await
}
END

project hello "nodeback = { path = \"$root\", default-features = false, features = [\"lambda\"] }" \
    <examples/hello.rs

crates() {
    cargo tree --manifest-path "$folder/$1/Cargo.toml" --edges normal --prefix none --no-dedupe |
        sed 's/ (.*//' | grep -v "^$1 " | sort -u
}
crates bare >"$folder/bare.crates"
crates hello >"$folder/hello.crates"
printf 'crates: %s on bare lambda_runtime, %s with nodeback; added:\n' \
    "$(wc -l <"$folder/bare.crates")" "$(wc -l <"$folder/hello.crates")"
comm -13 "$folder/bare.crates" "$folder/hello.crates" | sed 's/^/  /'

# The second line of bash's `times` is of what it started: minutes and seconds, of the user and of
# the system.
spent() {
    tail -qn 1 "$folder/before" "$folder/after" | awk -F '[ ms]+' '
        { time[NR] = 60 * ($1 + $3) + $2 + $4 }
        END { printf "%.0f", time[2] - time[1] }'
}

# RUSTFLAGS or a target of the environment would be measured with it.
unset RUSTFLAGS
for profile in release small; do
    for name in bare hello; do
        target=$folder/target-$name
        rm -rf "$target"
        times >"$folder/before"
        CARGO_INCREMENTAL=0 cargo build --quiet --manifest-path "$folder/$name/Cargo.toml" \
            --profile $profile --target-dir "$target"
        times >"$folder/after"
        printf '%s %s: %s bytes, built in %s s of processor time\n' "$profile" "$name" \
            "$(stat -c %s "$target/$profile/$name")" "$(spent)"
        cp "$target/$profile/$name" "$folder/$name-$profile"
        rm -rf "$target"
    done
done
