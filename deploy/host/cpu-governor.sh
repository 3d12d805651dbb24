#!/bin/sh
# cpu-governor.sh [--check | --undo | --help]: have the processors not slow down while they wait.
#
# Speech comes in bursts: a processor that has slowed down in between is late with the first sound. For machines that
# govern their own clocks; most virtual ones do not, and there is nothing to set.
set -eu
# shellcheck source=deploy/host/common.sh
. "$(dirname "$0")/common.sh"

for argument in "$@"; do mode "$argument" || misused "unknown argument $argument"; done

if [ "$MODE" = undo ]; then
  restore_all
  exit 0
fi
found=
for governor in "$SYSFS"/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor; do
  [ -f "$governor" ] || continue
  found=1
  case " $(cat "${governor%/*}/scaling_available_governors") " in
    *" performance "*) choose "$governor" performance ;;
    *) refuse "the driver of the processors has no governor \`performance\`" ;;
  esac
done
[ -n "$found" ] || refuse "this machine does not let the system govern its clocks"
