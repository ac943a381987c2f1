#!/usr/bin/env bash
# Installs Debian's Chromium for `no_web_page_reaches_a_function` in tests/browser.rs, which also needs
# node 20 or later. Needs root, if Chromium is missing.
set -euo pipefail
if ! command -v chromium >/dev/null; then
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends chromium
fi
