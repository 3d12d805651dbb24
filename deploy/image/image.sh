#!/bin/sh
# image.sh COMMAND: builds the image with buildah and tries it. All that it keeps is in IMAGE_FOLDER (build/image).
#   base       localhost/realtime-base: Debian's smallest system by debootstrap, for who cannot have the public image, or
#              will not; kept for a week
#   build      the image of TARGET (cpu or gpu), on IMAGE_BASE if that is set; prints what it weighs
#   say        starts the server in it, asks it how it is, and has it say TEXT into OUT
#   container  a container of the image, for the next two; prints its name
#   run CONTAINER [WORD...]  the image's own entry point with these words, else with its own command
#   health CONTAINER         what the image asks when it is asked how it is
#   remove CONTAINER
#   clean      takes away all but the base
# `run` and `health` lend it the variables in ENV ("NAME=value ...") and the folder SHARED, as /shared.
# Needs buildah, and for `base` debootstrap and root. Isolation is a chroot: no daemon and no namespaces are needed.
set -eu
cd "$(dirname "$0")/../.."
SUITE=bookworm
BASE=localhost/realtime-base
WEEK_S=604800
target=${TARGET:-cpu}
name=localhost/realtime:$target
folder=${IMAGE_FOLDER:-build/image}
mkdir -p "$folder"
folder=$(realpath "$folder")

buildah() {
  command buildah --root "$folder/storage" --runroot "$folder/run" --storage-driver vfs "$@"
}

# The address of a suite: IMAGE_MIRROR (for security IMAGE_SECURITY_MIRROR), else where apt of this machine has it from,
# else Debian's own.
mirror() {
  case $1 in
    *-security) own=http://deb.debian.org/debian-security found=${IMAGE_SECURITY_MIRROR-} ;;
    *) own=http://deb.debian.org/debian found=${IMAGE_MIRROR-} ;;
  esac
  if [ -z "$found" ] && command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2016  # apt's own variables
    found=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
      awk -v suite="$1" '$1 == suite && $2 == "main" && $3 ~ /^https?:/ { print $3; exit }')
  fi
  echo "${found:-$own}"
}

# proxy http|https: what apt of this machine asks by way of.
proxy() {
  command -v apt-config >/dev/null 2>&1 || return 0
  FOUND=
  eval "$(apt-config shell FOUND "Acquire::$1::Proxy")"
  [ "$FOUND" = DIRECT ] || echo "$FOUND"
}

# A setting of pip, whichever of its files and variables it stands in. What lies on this machine's disk is left out.
pip_setting() {
  echo "$pip_settings" | sed -n "s/^[a-z:]*\.$1='\(.*\)'\$/\1/p" | tail -n 1 |
    sed 's/\(^\| \)file:[^ ]*//g'
}

# What a build is lent of this machine: how apt and pip reach their packages. None of it is kept in the image.
lend() {
  secrets=$folder/secrets
  rm -rf "$secrets"
  mkdir -m 700 "$secrets"
  pip_settings=$(python3 -m pip config list 2>/dev/null || true)
  certificates=$(pip_setting cert)
  for scheme in http https; do
    through=$(proxy "$scheme")
    [ -z "$through" ] || echo "Acquire::$scheme::Proxy \"$through\";" >>"$secrets/apt.conf"
  done
  if [ "${IMAGE_BASE-}" = "$BASE" ]; then
    for suite in "$SUITE" "$SUITE-updates" "$SUITE-security"; do
      echo "deb $(mirror "$suite") $suite main"
    done >"$secrets/sources.list"
    echo 'Dir::Etc::sourcelist "/run/secrets/sources.list"; Dir::Etc::sourceparts "-";' >>"$secrets/apt.conf"
  fi
  {
    echo '[global]'
    for key in index-url extra-index-url trusted-host proxy timeout retries; do
      value=$(pip_setting "$key")
      [ -z "$value" ] || echo "$key = $value"
    done
    [ ! -f "$certificates" ] || echo 'cert = /run/secrets/ca.crt'
  } >"$secrets/pip.conf"
  if [ -f "$certificates" ]; then
    cp "$certificates" "$secrets/ca.crt"
    echo 'Acquire::https::CAInfo "/run/secrets/ca.crt";' >>"$secrets/apt.conf"
  fi
}

make_base() {
  made=$(buildah images --quiet --filter label=realtime.base="$SUITE" | head -n 1)
  if [ -n "$made" ]; then
    made_at=$(buildah inspect --type image --format '{{index .OCIv1.Config.Labels "realtime.made"}}' "$made")
    [ "$made_at" -lt $(($(date +%s) - WEEK_S)) ] || return 0
    echo "$BASE is older than a week, and is made anew"
  fi
  container=$(buildah from --quiet scratch)
  trap 'buildah rm "$container" >/dev/null' EXIT
  root=$(buildah mount "$container")
  http_proxy=$(proxy http) https_proxy=$(proxy https) \
    debootstrap --variant=minbase "$SUITE" "$root" "$(mirror "$SUITE")" >"$folder/debootstrap.log" 2>&1 || {
    tail -n 20 "$folder/debootstrap.log" >&2
    exit 1
  }
  # As in Debian's own small image: it is of no machine, and without documentation and words of other languages.
  chmod 755 "$root"
  rm -rf "$root/etc/resolv.conf" "$root/etc/hostname" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* \
    "$root"/var/log/* "$root"/usr/share/locale/* "$root"/usr/share/man/* "$root"/usr/share/info/*
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  cat >"$root/etc/apt/sources.list" <<TEXT
deb http://deb.debian.org/debian $SUITE main
deb http://deb.debian.org/debian $SUITE-updates main
deb http://deb.debian.org/debian-security $SUITE-security main
TEXT
  buildah umount "$container" >/dev/null
  buildah config --cmd bash --label realtime.base="$SUITE" --label realtime.made="$(date +%s)" "$container"
  buildah commit --quiet "$container" "$BASE" >/dev/null
}

build() {
  lend
  trap 'rm -rf "$folder/secrets" "$folder/image.tar"' EXIT
  set -- --isolation chroot --format docker --layers=false --quiet --target "$target" --tag "$name"
  for secret in apt.conf sources.list pip.conf ca.crt; do
    [ ! -f "$folder/secrets/$secret" ] || set -- "$@" --secret "id=$secret,src=$folder/secrets/$secret"
  done
  [ -z "${IMAGE_BASE-}" ] || set -- "$@" --build-arg "BASE=$IMAGE_BASE"
  set -- "$@" --build-arg "VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' realtime/__init__.py)"
  set -- "$@" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"
  buildah rmi --force "$name" >/dev/null 2>&1 || true
  # shellcheck disable=SC2086  # a list of options
  buildah bud "$@" ${IMAGE_OPTIONS-} . >/dev/null
  archive=$folder/realtime-$target.tar.gz
  buildah push --quiet "$name" "docker-archive:$folder/image.tar:$name" >/dev/null
  # At -6 it takes twice the time, to be smaller by 3%.
  gzip -4 <"$folder/image.tar" >"$archive"
  unpacked=$(stat -c %s "$folder/image.tar")
  echo "$name: $((unpacked / 1000000)) MB, compressed $(($(stat -c %s "$archive") / 1000000)) MB: ${archive#"$PWD/"}"
}

# words ENTRYPOINT|CMD|HEALTH: these of the image.
# shellcheck disable=SC2016  # variables of Go's templates
words() {
  case $1 in
    ENTRYPOINT) format='{{range .Docker.Config.Entrypoint}}{{.}} {{end}}' ;;
    CMD) format='{{range .Docker.Config.Cmd}}{{.}} {{end}}' ;;
    HEALTH) format='{{range $at, $word := .Docker.Config.Healthcheck.Test}}{{if $at}}{{$word}} {{end}}{{end}}' ;;
  esac
  buildah inspect --type image --format "$format" "$name"
}

# inside CONTAINER WORD...: runs it there, as the image's own user. SIGTERM goes to the program: buildah would kill it.
inside() {
  container=$1
  shift
  set -- "$container" -- "$@"
  for variable in ${ENV-}; do
    set -- --env "$variable" "$@"
  done
  [ -z "${SHARED-}" ] || set -- --volume "$(realpath "$SHARED"):/shared" "$@"
  command buildah --root "$folder/storage" --runroot "$folder/run" --storage-driver vfs \
    run --isolation chroot "$@" <&0 &
  running=$!
  trap 'end "$running"' TERM INT
  result=0
  wait "$running" || result=$?
  # A trap ends the first wait before the program has ended.
  while kill -0 "$running" 2>/dev/null; do
    result=0
    wait "$running" || result=$?
  done
  return "$result"
}

# end PROCESS: SIGTERM to the first of its children that is a program of the image, which is tini.
end() {
  # shellcheck disable=SC2013  # numbers, all in one line
  for child in $(cat "/proc/$1/task"/*/children 2>/dev/null); do
    if [ "$(cat "/proc/$child/comm")" = tini ]; then
      kill -TERM "$child"
    else
      end "$child"
    fi
  done
}

# shellcheck disable=SC2046  # lists of words
run() {
  container=$1
  shift
  [ $# -gt 0 ] || set -- $(words CMD)
  inside "$container" $(words ENTRYPOINT) "$@"
}

# shellcheck disable=SC2046  # a list of words
health() {
  inside "$1" $(words HEALTH)
}

say() {
  text=${TEXT:-Hello from inside the image.}
  out=$(realpath "${OUT:-build/image/hello.wav}")
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  container=$(buildah from --quiet "$name")
  shared=$(mktemp -d)
  chmod 777 "$shared"
  server=
  trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; buildah rm "$container" >/dev/null; rm -rf "$shared"' EXIT
  ENV="PORT=$port HOST=127.0.0.1" run "$container" >"$folder/server.log" 2>&1 &
  server=$!
  tries=60
  until ENV="PORT=$port HOST=127.0.0.1" health "$container" >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ] || ! kill -0 "$server" 2>/dev/null; then
      cat "$folder/server.log" >&2
      exit 1
    fi
    sleep 1
  done
  ENV="REALTIME_URL=ws://127.0.0.1:$port" SHARED=$shared run "$container" say --out /shared/said.wav -- "$text"
  cat "$shared/said.wav" >"$out"
  kill "$server"
  wait "$server" || {
    echo "the server ended with exit code $?" >&2
    exit 1
  }
  server=
  echo "${out#"$PWD/"}: said inside the image"
}

command=${1:?"what? base, build, say, container, run, health, remove or clean"}
shift
case $command in
  base) make_base ;;
  build) build ;;
  say) say ;;
  container) buildah from --quiet "$name" ;;
  run) run "$@" ;;
  health) health "$@" ;;
  remove) buildah rm "$1" >/dev/null ;;
  clean)
    buildah rm --all >/dev/null
    buildah rmi --force "$name" >/dev/null 2>&1 || true
    buildah rmi --prune --force >/dev/null 2>&1 || true
    rm -rf "$folder"/*.tar.gz "$folder"/*.tar "$folder"/*.log "$folder"/*.wav "$folder/secrets"
    ;;
  *)
    echo "image.sh has no command '$command'" >&2
    exit 2
    ;;
esac
