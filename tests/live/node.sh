#!/usr/bin/env bash
# Installs AWS's Node runtime client for the ignored tests of tests/cases and tests/aws_sdk.rs, in target/live/node, or
# with its own HTTP module, by `tests/live/node.sh native`, in target/live/native-node. Needs node and npm; for the
# native module also root, if one of the packages below is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=${1:-}
folder=target/live/${kind:+$kind-}node
if [[ -e $folder/complete ]]; then
    exit
fi

mkdir -p "$folder"
cd "$folder"
echo '{ "private": true }' >package.json
npm install --no-audit --no-fund --ignore-scripts aws-lambda-ric@3.3.0
if [[ $kind == native ]]; then
    missing=()
    while read -r program package; do
        command -v "$program" >/dev/null || missing+=("$package")
    done <<'END'
cmake cmake
autoconf autoconf
automake automake
libtoolize libtool
g++ g++
make make
END
    if ((${#missing[@]})); then
        apt-get -q update
        DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "${missing[@]}"
    fi
    # npm 11 builds only what was approved; before that there is no such command, nor a need of it.
    npm install-scripts approve aws-lambda-ric || true
    npm rebuild aws-lambda-ric --foreground-scripts
    [[ -f node_modules/aws-lambda-ric/dist/rapid-client.node ]]
fi
touch complete
