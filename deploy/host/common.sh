# shellcheck shell=sh
# What the scripts of this folder have in common. They are for root, on the host itself, and take
#
#   (nothing)  set it; what is set already stays
#   --check    print what is and what would be, and change nothing
#   --undo     back to what was before
#   --help     print what it does
#
# and end with 0: done, or nothing to do; 1: it was tried and failed; 2: wrong arguments; 3: not possible here, in one
# line that says why. --check ends with 0 in any case. What was before is kept in STATE until --undo; like the settings
# themselves it does not outlive the machine's next start.
#
# SYSFS and STATE are for the tests, which have folders of their own for both.
SYSFS=${SYSFS:-/sys}
STATE=${STATE:-/run/realtime-host}
# shellcheck disable=SC2034  # the scripts read it
MODE='set'
NAME=$(basename "$0" .sh)

say() { printf '%s: %s\n' "$NAME" "$*"; }

# Ends the script.
fail() { printf '%s: %s\n' "$NAME" "$*" >&2; exit 1; }

# Ends the script: the arguments are wrong.
misused() { printf '%s: %s; see --help\n' "$NAME" "$*" >&2; exit 2; }

# Ends the script: this machine has no such thing. For --check that is an answer as well.
refuse() {
  if [ "$MODE" = check ]; then say "not possible here: $*"; exit 0; fi
  printf '%s: not possible here: %s\n' "$NAME" "$*" >&2
  exit 3
}

# The comment at the head of the script, from its second line on.
help() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p;}' "$0"; exit 0; }

# mode ARGUMENT: true if it is one of those that all scripts take.
mode() {
  case $1 in
    --check) MODE=check ;;
    --undo) MODE=undo ;;
    --help | -h) help ;;
    *) return 1 ;;
  esac
}

# remember KEY VALUE: keep what was before; the first time counts.
remember() {
  recalled "$1" >/dev/null && return
  mkdir -p "$STATE" || fail "cannot keep what was before in $STATE"
  printf '%s\t%s\n' "$1" "$2" >>"$STATE/$NAME" || fail "cannot keep what was before in $STATE"
}

# recalled KEY: print what was before; false if nothing was kept.
recalled() {
  [ -f "$STATE/$NAME" ] || return 1
  awk -F '\t' -v key="$1" '$1 == key { print $2; found = 1; exit } END { exit !found }' "$STATE/$NAME"
}

# Print what was kept, a line each: key, tab, value.
all_recalled() { if [ -f "$STATE/$NAME" ]; then cat "$STATE/$NAME"; fi; }

forget_all() { rm -f "$STATE/$NAME"; }

# chosen FILE: what is in force; some files show all that may be, and that in brackets.
chosen() { sed -n 's/.*\[\(.*\)\].*/\1/;p;q' "$1"; }

# choose FILE VALUE: set it, and remember what it was.
choose() {
  was=$(chosen "$1")
  if [ "$was" = "$2" ]; then
    say "$1 is $2"
    return
  fi
  if [ "$MODE" = check ]; then
    say "$1 is $was, and would be $2"
    return
  fi
  [ -w "$1" ] || refuse "$1 cannot be written; this is for root, on the host itself"
  remember "$1" "$was"
  printf '%s\n' "$2" 2>/dev/null >"$1" || fail "$1 does not take $2"
  say "$1 was $was, and is $2"
}

# Back to what all files were that `choose` has set.
restore_all() {
  [ -n "$(all_recalled)" ] || { say "nothing to undo"; return; }
  all_recalled | while IFS="$(printf '\t')" read -r file was; do
    [ -w "$file" ] || refuse "$file cannot be written; this is for root, on the host itself"
    printf '%s\n' "$was" 2>/dev/null >"$file" || fail "$file does not take $was"
    say "$file is $was again"
  done || exit
  forget_all
}

# smi ARGUMENT...: NVIDIA's program; its words are told when it fails, or when the card or the user may not do it.
smi() {
  answer=$(nvidia-smi "$@" 2>&1) && return
  words="nvidia-smi $*: $(printf '%s\n' "$answer" | grep . | tail -n 1)"
  case $answer in
    *"ot supported"* | *ermission*) refuse "$words" ;;
    *) fail "$words" ;;
  esac
}

# Ends the script where there is no GPU of NVIDIA.
need_gpu() {
  command -v nvidia-smi >/dev/null 2>&1 || refuse "there is no nvidia-smi, so no driver of NVIDIA"
  nvidia-smi --list-gpus >/dev/null 2>&1 || refuse "nvidia-smi finds no GPU"
}

# gpus FIELD...: a line for each GPU, its number first, the fields after it, with commas between.
gpus() {
  fields=index
  for field in "$@"; do fields=$fields,$field; done
  answer=$(nvidia-smi --query-gpu="$fields" --format=csv,noheader,nounits 2>&1) || fail "nvidia-smi: $answer"
  printf '%s\n' "$answer" | sed 's/, */,/g'
}
