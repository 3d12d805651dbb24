#!/bin/sh
# huge-pages.sh [--mode madvise|always] [--check | --undo | --help]: pages of 2 MB for programs that ask for them.
#
# `madvise` (the default): those that ask; `always`: all programs, which may take more memory. Either way the kernel
# does not stop a program to make such pages, but for one that has asked (defrag: defer+madvise).
set -eu
# shellcheck source=deploy/host/common.sh
. "$(dirname "$0")/common.sh"

pages=madvise
while [ $# -gt 0 ]; do
  case $1 in
    --mode)
      case ${2:-} in
        madvise | always) pages=$2 ;;
        *) misused "--mode takes madvise or always" ;;
      esac
      shift
      ;;
    *) mode "$1" || misused "unknown argument $1" ;;
  esac
  shift
done

folder=$SYSFS/kernel/mm/transparent_hugepage
[ -f "$folder/defrag" ] || refuse "this kernel has no transparent huge pages"
if [ "$MODE" = undo ]; then
  restore_all
  exit 0
fi
choose "$folder/enabled" "$pages"
choose "$folder/defrag" defer+madvise
