#!/bin/sh
# system-packages.sh PROGRAM:PACKAGE...: installs, as root, the Debian packages whose programs the tests need;
# otherwise says which are missing. Instead of a program there may be a library, such as libjemalloc.so.2.
set -eu
is_here() {
  case "$1" in
    lib*.so.*) PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -qF "$1" ;;
    *) command -v "$1" ;;
  esac
}
missing=
for need in "$@"; do
  is_here "${need%%:*}" >/dev/null 2>&1 || missing="$missing ${need##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "The tests need programs that are missing; as root, on Debian or Ubuntu: apt-get install$missing" >&2
  exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086  # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
