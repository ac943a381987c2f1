#!/usr/bin/env bash
# Installs the real Node runtime client for `the_real_node_client_answers_the_same` in tests/cases:
# into target/live/node, or into $1. Needs node and npm; root, if a package below is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-target/live/node}
if [[ -e $folder/complete ]]; then
    exit
fi

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

mkdir -p "$folder"
cd "$folder"
echo '{ "private": true }' >package.json
npm install --no-audit --no-fund --ignore-scripts aws-lambda-ric@3.3.0
# npm 11 builds only what was approved; before that there is no such command, nor a need of it.
npm install-scripts approve aws-lambda-ric || true
npm rebuild aws-lambda-ric --foreground-scripts
[[ -f node_modules/aws-lambda-ric/dist/rapid-client.node ]]
touch complete
