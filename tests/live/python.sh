#!/usr/bin/env bash
# Installs the clients that call functions, and AWS's Runtime Interface Emulator, for the ignored tests in
# tests/clients.rs, tests/emulator.rs and tests/template.rs: a Python environment with the AWS CLI, boto3 and cargo-lambda
# in target/live/python, or in $1, and target/live/aws-lambda-rie. It needs python3, and root if python3 has no venv.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-target/live/python}
emulator=target/live/aws-lambda-rie
if [[ -e $folder/complete && -x $emulator ]]; then
    exit
fi

# Debian has venv in a separate package.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends python3-venv
fi
mkdir -p "$(dirname "$folder")" "$(dirname "$emulator")"
python3 -m venv "$folder"
python=$folder/bin/python
pip=("$python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install awscli==1.46.3 boto3==1.44.8
# The Python runtime client, for `cargo bench --bench lambda`.
"${pip[@]}" install --only-binary :all: awslambdaric==4.2.2
# `--no-deps` leaves out the cross compiler, which only `cargo lambda build` needs.
"${pip[@]}" install --no-deps cargo-lambda==1.9.2

case $(uname -m) in
aarch64 | arm64) machine=arm64 ;;
*) machine=x86_64 ;;
esac
wheel=$folder/wheel
"${pip[@]}" download --no-deps --only-binary :all: --dest "$wheel" aws-sam-cli==1.148.0
"$python" - "$wheel"/*.whl "samcli/local/rapid/aws-lambda-rie-$machine" "$wheel/emulator" <<'END'
import sys, zipfile

wheel, member, emulator = sys.argv[1:]
with zipfile.ZipFile(wheel) as files, open(emulator, "wb") as file:
    file.write(files.read(member))
END
chmod +x "$wheel/emulator"
mv "$wheel/emulator" "$emulator"
rm -r "$wheel"
touch "$folder/complete"
