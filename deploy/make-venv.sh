#!/bin/sh
# make-venv.sh PYTHON FOLDER: a virtual environment with pip, without root, also where Debian's python3 comes
# without ensurepip (its package python3-venv): then by whatever else is there.
set -eu
python=$1
folder=$2
# Half an environment would be taken for a whole one the next time.
trap '[ $? = 0 ] || rm -rf "$folder"' EXIT
if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  "$python" -m venv "$folder"
  exit
fi
if command -v uv >/dev/null 2>&1; then
  uv venv --quiet --seed --python "$python" "$folder"
  exit
fi
if "$python" -c 'import virtualenv' 2>/dev/null; then
  "$python" -m virtualenv --quiet "$folder"
  exit
fi
if "$python" -c 'import venv, pip' 2>/dev/null; then
  "$python" -m venv --without-pip "$folder"
  "$python" -m pip --python "$folder/bin/python" install --quiet pip
  exit
fi
echo "$python can make no virtual environment: it lacks ensurepip, and there is no uv, virtualenv or pip." >&2
echo "On Debian or Ubuntu: apt-get install python3-venv. Anywhere, without root: install uv (astral.sh/uv)." >&2
exit 1
