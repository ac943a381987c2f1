#!/usr/bin/env bash
# Runs the tests that try to break nodeback, whose promises `src/docs/reliability.md` lists:
#
#   tests/reliability.sh          as small as in `cargo test`, in a few minutes
#   tests/reliability.sh --full   at full size, as a release build that checks its arithmetic;
#                                 the figures are printed. Takes about half an hour
set -euo pipefail
cd "$(dirname "$0")/.."

options=()
case "${1:-}" in
"") ;;
--full)
    export NODEBACK_FULL=1 NODEBACK_CASES=1000000
    export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    options+=(--release)
    ;;
*)
    echo "usage: tests/reliability.sh [--full]" >&2
    exit 2
    ;;
esac

# One after the other, so that the figures of one are not the load of another.
cargo test "${options[@]}" -p nodeback --lib -- --nocapture any_
cargo build "${options[@]}" --example hello
cargo test "${options[@]}" -p nodeback-loom -- --nocapture
for test in faults soak race concurrency deadlines hostile load fuzz_event fuzz_local; do
    cargo test "${options[@]}" -p nodeback-tests --test "$test" -- --nocapture
done
