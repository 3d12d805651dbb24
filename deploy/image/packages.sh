#!/bin/sh
# packages.sh VENV LOCK: makes a virtual environment with the packages of a lock, each by its hash. Runs inside a build.
# finish.sh compiles them, when what nobody wants is gone. (As a variable, PIP_NO_COMPILE=1 would mean the opposite.)
# The build may lend it settings of pip (an index, a proxy) as the secret pip.conf; the image does not keep them.
set -eu
venv=$1
lock=$2
here=$(dirname "$0")
[ ! -f /run/secrets/pip.conf ] || export PIP_CONFIG_FILE=/run/secrets/pip.conf
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --no-compile --require-hashes -r "$here/build.lock"
# Without isolation: what builds the few that come as sources alone has its hash as well.
"$venv/bin/python" -m pip install --quiet --no-compile --require-hashes --use-pep517 --no-build-isolation -r "$lock"
