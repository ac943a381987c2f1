#!/usr/bin/env bash
# Measures what nodeback adds to a function on Lambda, compared with the same handler on lambda_runtime: bare, and
# with its own log as in its README. It counts the crates, and measures the size of the stripped binary and the
# processor time of a full build, which depends less on the load of the machine than the wall time. It creates the
# projects in target/size and takes several minutes.
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

handler() {
    local init=$1
    cat <<END
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
    $init
    lambda_runtime::run(service_fn(handler)).await
}
END
}

handler "" | project bare "lambda_runtime = { version = \"$runtime\", default-features = false }
serde_json = \"1\""

handler "lambda_runtime::tracing::init_default_subscriber();" |
    project logged "lambda_runtime = \"$runtime\"
serde_json = \"1\""

project hello "nodeback = { path = \"$root\", default-features = false, features = [\"lambda\"] }" \
    <examples/hello.rs

crates() {
    cargo tree --manifest-path "$folder/$1/Cargo.toml" --edges normal --prefix none --no-dedupe |
        sed 's/ (.*//' | grep -v "^$1 " | sort -u
}
for name in bare logged hello; do
    crates $name >"$folder/$name.crates"
    printf 'crates of %s: %s\n' $name "$(wc -l <"$folder/$name.crates")"
done
echo "added by hello to bare:"
comm -13 "$folder/bare.crates" "$folder/hello.crates" | sed 's/^/  /'

# The second line of bash's `times` is the user and system time of its child processes, in minutes and seconds.
spent() {
    tail -qn 1 "$folder/before" "$folder/after" | awk -F '[ ms]+' '
        { time[NR] = 60 * ($1 + $3) + $2 + $4 }
        END { printf "%.0f", time[2] - time[1] }'
}

# RUSTFLAGS of the environment would change what is measured.
unset RUSTFLAGS
for profile in ${PROFILES:-release small}; do
    for name in ${PROJECTS:-bare logged hello}; do
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
