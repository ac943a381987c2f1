#!/usr/bin/env bash
# Runs the tests that try to break nodeback, whose promises `src/docs/reliability.md` lists:
#
#   tests/reliability.sh          as small as in `cargo test`, in a few minutes
#   tests/reliability.sh --full   at full size, as a release build that checks its arithmetic;
#                                 the figures are printed. Takes a quarter of an hour
#
# Parts may be named, such as `tests/reliability.sh --full soak race`. A part that fails keeps no other from
# running: the failures are listed at the end, and the exit code is 1.
set -euo pipefail
cd "$(dirname "$0")/.."

all=(unit loom faults soak race concurrency deadlines hostile load fuzz_event fuzz_local)
usage() {
    echo "usage: tests/reliability.sh [--full] [PART ...], with the parts ${all[*]}" >&2
    exit 2
}

options=()
if [[ ${1:-} == --full ]]; then
    shift
    export NODEBACK_FULL=1 NODEBACK_CASES=${NODEBACK_CASES:-1000000}
    export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    options+=(--release)
fi
for part; do
    [[ " ${all[*]} " == *" $part "* ]] || usage
done
[[ $# -gt 0 ]] || set -- "${all[@]}"

# With no options, `"${options[@]}"` would be an error in old versions of bash.
cargo_test() { cargo test ${options[@]+"${options[@]}"} "$@" -- --nocapture; }

run() {
    case $1 in
    # The unit tests with random input.
    unit) cargo test ${options[@]+"${options[@]}"} -p nodeback --lib -- --nocapture any_ ;;
    loom) cargo_test -p nodeback-loom ;;
    # It starts these, which `cargo test` of another package does not build.
    hostile)
        cargo build ${options[@]+"${options[@]}"} -p nodeback --example hello --example timer &&
            cargo_test -p nodeback-tests --test hostile
        ;;
    *) cargo_test -p nodeback-tests --test "$1" ;;
    esac
}

# One after the other, so that the figures of one are not the load of another.
failed=()
for part; do
    printf '\n== %s\n' "$part"
    run "$part" || failed+=("$part")
done
if [[ ${#failed[@]} -gt 0 ]]; then
    printf '\nof %s parts, %s failed: %s\n' "$#" "${#failed[@]}" "${failed[*]}" >&2
    exit 1
fi
printf '\nall of %s parts passed\n' "$#"
