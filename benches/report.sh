#!/usr/bin/env bash
# Runs the benchmarks, and makes one page of what they have measured: target/nodeback-benches.html. The tables and plots
# of benches/README.md are written anew. Takes about half an hour on two cores; the figures are worth as much as the
# machine is quiet. Installs the peers: needs what tests/live/node.sh and tests/live/python.sh do.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUST_BACKTRACE=0

tests/live/node.sh native
tests/live/node.sh current
tests/live/python.sh
PROFILES=release benches/size.sh
for bench in completion scale invoke lambda; do
    cargo bench --quiet -p nodeback-benches --bench "$bench"
done
cargo bench --quiet -p nodeback-benches --bench report
