#!/usr/bin/env bash
# Runs the tests that try to break nodeback. `src/docs/reliability.md` lists what they guarantee.
#
#   tests/reliability.sh          at the size of `cargo test`, which takes a few minutes
#   tests/reliability.sh --full   at full size, in a release build with overflow checks. This takes a quarter
#                                 of an hour
#
# Name parts to run only these, such as `tests/reliability.sh --full soak race`. The other parts still run if one
# fails: the script lists the failures at the end and exits with code 1.
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

# An empty array in `"${options[@]}"` would be an error in old versions of bash.
cargo_test() { cargo test ${options[@]+"${options[@]}"} "$@" -- --nocapture; }

run() {
    case $1 in
    # The unit tests with random input.
    unit) cargo test ${options[@]+"${options[@]}"} -p nodeback --lib -- --nocapture any_ ;;
    loom) cargo_test -p nodeback-loom ;;
    # The test starts these examples, which `cargo test` of another package does not build.
    hostile)
        cargo build ${options[@]+"${options[@]}"} -p nodeback --example hello --example timer &&
            cargo_test -p nodeback-tests --test hostile
        ;;
    *) cargo_test -p nodeback-tests --test "$1" ;;
    esac
}

# The parts run one after the other, so that no part distorts the figures of another.
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
