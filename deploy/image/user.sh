#!/bin/sh
# user.sh FOLDER...: makes the user that the server runs as, and folders that are its own. Runs inside a build.
# The number is fixed, so that volumes fit the next image as well; it is no number of a person's account.
set -eu
groupadd --gid 10001 realtime
useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin --no-log-init realtime
for folder in "$@"; do
  install -d -o realtime -g realtime -m 750 "$folder"
done
