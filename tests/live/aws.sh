#!/usr/bin/env bash
# Installs what the ignored tests in tests/aws_sdk.rs need in addition to tests/live/node.sh: moto, which stands in for
# AWS, and versions 2 and 3 of the AWS SDK for JavaScript. It installs them in target/live/aws, or in $1. It needs python3,
# node and npm, and root if python3 has no venv.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-target/live/aws}
if [[ -e $folder/complete && -e $folder/node_modules/@aws-sdk ]]; then
    exit
fi

# Debian has venv in a separate package.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends python3-venv
fi
mkdir -p "$folder"
python3 -m venv "$folder/python"
"$folder/python/bin/python" -m pip --disable-pip-version-check --quiet install \
    'moto[dynamodb,s3]==5.2.5' flask flask-cors
cd "$folder"
echo '{ "private": true }' >package.json
npm install --no-audit --no-fund --ignore-scripts \
    aws-sdk@2.1693.0 @aws-sdk/client-dynamodb@3.1000.0 @aws-sdk/lib-dynamodb@3.1000.0
touch complete
