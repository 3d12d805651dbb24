#!/bin/sh
# all.sh [--check | --undo | --help] [NAME ...]: runs the scripts beside it, all or those that are named.
#
# Names: gpu-persistence gpu-clocks huge-pages cpu-governor, in this order, and backwards with --undo. With --check the
# report of affinity as well. What is not possible on this machine is told and left out; it ends with 1 when something
# was possible and failed.
set -eu
folder=$(dirname "$0")
# shellcheck source=deploy/host/common.sh
. "$folder/common.sh"

names=
for argument in "$@"; do
  mode "$argument" && continue
  case $argument in
    gpu-persistence | gpu-clocks | huge-pages | cpu-governor | affinity) names="$names $argument" ;;
    *) misused "unknown argument $argument" ;;
  esac
done
flag=
case $MODE in
  set) names=${names:-gpu-persistence gpu-clocks huge-pages cpu-governor} ;;
  check) names=${names:-gpu-persistence gpu-clocks huge-pages cpu-governor affinity} flag=--check ;;
  undo) names=${names:-cpu-governor huge-pages gpu-clocks gpu-persistence} flag=--undo ;;
esac
code=0
for name in $names; do
  status=0
  sh "$folder/$name.sh" ${flag:+"$flag"} || status=$?
  [ "$status" = 0 ] || [ "$status" = 3 ] || code=1
done
exit "$code"
