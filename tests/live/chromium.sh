#!/usr/bin/env bash
# Installs Debian's Chromium for tests/browser.rs, which also needs node 20 or later, and the accessibility checks of axe-core
# into target/live/page. Needs root, if Chromium is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v chromium >/dev/null; then
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends chromium
fi
folder=target/live/page
[ -e $folder/node_modules/axe-core/axe.min.js ] && exit
mkdir -p $folder
npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix $folder axe-core@4.10.3
