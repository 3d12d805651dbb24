#!/bin/sh
# flash-attn.sh VENV: builds flash-attn from the source that flash-attn.lock pins, and adds it. Runs inside a build, and
# takes an hour; FLASH_ATTN=0 leaves it out.
set -eu
venv=$1
here=$(dirname "$0")
case ${FLASH_ATTN:=1} in
  0)
    echo 'flash-attn is left out (FLASH_ATTN=0)'
    exit
    ;;
  1) ;;
  *)
    echo "FLASH_ATTN must be 1 or 0, not '$FLASH_ATTN'" >&2
    exit 2
    ;;
esac
[ ! -f /run/secrets/pip.conf ] || export PIP_CONFIG_FILE=/run/secrets/pip.conf
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Two parts of one lock: the tools come first, as the source is built without isolation.
sed '/^flash-attn==/,/# via/d' "$here/flash-attn.lock" >"$work/tools.lock"
sed -n '/^flash-attn==/,/# via/p' "$here/flash-attn.lock" >"$work/source.lock"
"$venv/bin/python" -m pip install --quiet --no-compile --require-hashes --no-deps -r "$work/tools.lock"
# Else its setup.py would take a wheel from a page of releases, of which we know no hash.
export FLASH_ATTENTION_FORCE_BUILD=TRUE
# A job may take 8 GB of memory.
export FLASH_ATTN_CUDA_ARCHS="${FLASH_ATTN_CUDA_ARCHS:-80;90;100;120}"
export MAX_JOBS="${MAX_JOBS:-4}" NVCC_THREADS="${NVCC_THREADS:-2}"
"$venv/bin/python" -m pip install --no-compile --require-hashes --no-deps --use-pep517 --no-build-isolation \
  --no-binary flash-attn -r "$work/source.lock"
