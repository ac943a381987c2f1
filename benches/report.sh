#!/usr/bin/env bash
# Runs the benchmarks and creates one page with their figures: target/nodeback-benches.html. It also updates the tables
# and plots of benches/README.md. It takes about half an hour on two cores. Run it on an idle machine: other load distorts
# the figures. It installs the other candidates, and needs what tests/live/node.sh and tests/live/python.sh need.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUST_BACKTRACE=0

tests/live/node.sh native
tests/live/node.sh current
tests/live/python.sh
PROFILES=release benches/size.sh
for bench in completion scale invoke lambda streaming; do
    cargo bench --quiet -p nodeback-benches --bench "$bench"
done
cargo bench --quiet -p nodeback-benches --bench report
