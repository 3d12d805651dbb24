#!/bin/sh
# gpu-persistence.sh [--check | --undo | --help]: keep NVIDIA's driver loaded while nobody uses the GPU.
#
# Without this the driver lets go of the card when the last program ends, and the next one waits while it is set up
# again; clocks that were locked are lost as well. Where nvidia-persistenced runs, it does the same.
set -eu
# shellcheck source=deploy/host/common.sh
. "$(dirname "$0")/common.sh"

for argument in "$@"; do mode "$argument" || misused "unknown argument $argument"; done
need_gpu

if [ "$MODE" = undo ]; then
  [ -n "$(all_recalled)" ] || { say "nothing to undo"; exit 0; }
  for gpu in $(all_recalled | cut -f 1); do
    smi -i "$gpu" -pm 0
    say "GPU $gpu: persistence mode is Disabled again"
  done
  forget_all
  exit 0
fi

state=$(gpus persistence_mode)
printf '%s\n' "$state" | while IFS=, read -r gpu was; do
  if [ "$was" = Enabled ]; then
    say "GPU $gpu: persistence mode is Enabled"
  elif [ "$MODE" = check ]; then
    say "GPU $gpu: persistence mode is $was, and would be Enabled"
  else
    remember "$gpu" "$was"
    smi -i "$gpu" -pm 1
    say "GPU $gpu: persistence mode was $was, and is Enabled"
  fi
done
