#!/bin/sh
# gpu-clocks.sh [--clock MHZ] [--memory] [--check | --undo | --help]: lock the clock of each GPU of NVIDIA.
#
# A card that waits between two steps slows down, and the first steps after it are slow. Locked, it does not; it takes
# more power instead. Without --clock it is the highest that the card names; --memory locks the clock of its memory as
# well. The driver does not tell what was locked before, so --undo unlocks. Persistence mode comes first: without it
# the driver forgets.
set -eu
# shellcheck source=deploy/host/common.sh
. "$(dirname "$0")/common.sh"

wanted=''
memory=''
while [ $# -gt 0 ]; do
  case $1 in
    --clock)
      case ${2:-} in
        '' | *[!0-9]* | 0*) misused "--clock takes a number of MHz" ;;
      esac
      wanted=$2
      shift
      ;;
    --memory) memory=1 ;;
    *) mode "$1" || misused "unknown argument $1" ;;
  esac
  shift
done
need_gpu

if [ "$MODE" = undo ]; then
  [ -n "$(all_recalled)" ] || { say "nothing to undo"; exit 0; }
  all_recalled | while IFS="$(printf '\t')" read -r key _; do
    case $key in
      memory-*)
        smi -i "${key#memory-}" -rmc
        say "GPU ${key#memory-}: the clock of its memory is free again"
        ;;
      *)
        smi -i "$key" -rgc
        say "GPU $key: its clock is free again"
        ;;
    esac
  done || exit
  forget_all
  exit 0
fi

clocks=$(gpus clocks.current.graphics clocks.max.graphics clocks.max.memory)
printf '%s\n' "$clocks" | while IFS=, read -r gpu now most most_memory; do
  case $most${memory:+$most_memory} in
    *[!0-9]*) refuse "GPU $gpu does not tell its highest clocks" ;;
  esac
  clock=${wanted:-$most}
  [ "$clock" -le "$most" ] || misused "--clock is $clock MHz, and GPU $gpu has at most $most"
  if [ "$MODE" = check ]; then
    say "GPU $gpu: at $now of $most MHz, and would be locked at $clock"
    [ -z "$memory" ] || say "GPU $gpu: its memory would be locked at $most_memory MHz"
    continue
  fi
  remember "$gpu" free
  smi -i "$gpu" -lgc "$clock,$clock"
  say "GPU $gpu: locked at $clock MHz"
  [ -n "$memory" ] || continue
  remember "memory-$gpu" free
  smi -i "$gpu" -lmc "$most_memory,$most_memory"
  say "GPU $gpu: its memory is locked at $most_memory MHz"
done
