#!/bin/sh
# system.sh PACKAGE...: installs packages of the distribution, and leaves nothing of how they came. Runs inside a build.
# The build may lend it settings of apt (a mirror, a proxy) as the secret apt.conf; the image does not keep them.
set -eu
[ ! -f /run/secrets/apt.conf ] || export APT_CONFIG=/run/secrets/apt.conf
export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
# Lists go again, so no translations are fetched; and what is half built is thrown away, so no file waits for the disk.
apt-get update -qq -o Acquire::Languages=none
apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@" >/dev/null
apt-get clean
# Lists, logs and caches are of that day, and would make every build a different image. Licences stay: each is the
# `copyright` of its package; the rest of the documentation goes, as it is not in Debian's slim image either.
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -depth -type d -empty -delete
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/cache/ldconfig/* /usr/share/man/* /usr/share/info/* /tmp/*
find /var/log -type f -delete
