#!/bin/sh
# torch.sh VENV REQUIREMENTS: adds torch. Runs inside a build. It has no hash: the index that pip asks says which of its
# builds comes, that of PyPI for CUDA, which brings the libraries of CUDA as packages of its own.
set -eu
venv=$1
requirements=$2
[ ! -f /run/secrets/pip.conf ] || export PIP_CONFIG_FILE=/run/secrets/pip.conf
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
"$venv/bin/python" -m pip install --quiet --no-compile -r "$requirements"
