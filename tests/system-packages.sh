#!/bin/sh
# system-packages.sh PROGRAM:PACKAGE...: installs, as root, the Debian packages whose programs the tests need;
# otherwise says which are missing.
set -eu
missing=
for need in "$@"; do
  command -v "${need%%:*}" >/dev/null 2>&1 || missing="$missing ${need##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "The tests need programs that are missing; as root, on Debian or Ubuntu: apt-get install$missing" >&2
  exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086  # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
