#!/bin/sh
# affinity.sh [--check | --undo | --help]: a report of which cores there are, and which to give to whom.
#
# NUMA nodes, cores that share one physical core, and the node next to each GPU; then values for CPU_AFFINITY,
# ENGINE_CPU_AFFINITY and the cpuset of a container. It changes nothing, whatever the argument.
set -eu
# shellcheck source=deploy/host/common.sh
. "$(dirname "$0")/common.sh"

for argument in "$@"; do mode "$argument" || misused "unknown argument $argument"; done
if [ "$MODE" = undo ]; then
  say "nothing to undo: it is a report"
  exit 0
fi
cpus=$SYSFS/devices/system/cpu
[ -f "$cpus/online" ] || refuse "the system does not tell its cores in $cpus"

# expand LIST: the numbers in 0-3,8, a line each.
expand() {
  printf '%s\n' "$1" | tr ',' '\n' | awk -F - 'NF { for (n = $1; n <= $NF; n++) print n + 0 }' | sort -n
}

# join: numbers, a line each, as a list such as 0-3,8.
join() {
  sort -n | awk '
    NR == 1 { first = last = $1; next }
    $1 == last + 1 { last = $1; next }
    { list = list (first == last ? first : first "-" last) ","; first = last = $1 }
    END { if (NR) print list (first == last ? first : first "-" last) }'
}

# siblings CORE: it and those on the same physical core.
siblings() { cat "$cpus/cpu$1/topology/thread_siblings_list" 2>/dev/null || echo "$1"; }

online=$(cat "$cpus/online")
say "cores: $online"
near=
for node in "$SYSFS"/devices/system/node/node[0-9]*; do
  [ -f "$node/cpulist" ] || continue
  list=$(cat "$node/cpulist")
  say "NUMA node ${node##*node}: cores ${list:-none}"
  near=${near:-$list}
done
near=${near:-$online}
shared=$(for core in $(expand "$online"); do siblings "$core"; done | grep '[-,]' | sort -u | tr '\n' ' ' || true)
say "cores that share a physical core: ${shared:-none}"

if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi --list-gpus >/dev/null 2>&1; then
  first=
  for line in $(gpus pci.bus_id | tr ',' '='); do
    # nvidia-smi writes eight digits and capitals where the system has four and small letters.
    address=$(printf '%s\n' "${line#*=}" | tr 'A-F' 'a-f' | sed 's/^0000\(....:\)/\1/')
    device=$SYSFS/bus/pci/devices/$address
    if [ -f "$device/local_cpulist" ]; then
      list=$(cat "$device/local_cpulist")
      say "GPU ${line%%=*}: NUMA node $(cat "$device/numa_node"), cores $list"
      [ -n "$first" ] || near=$list
      first=1
    else
      say "GPU ${line%%=*}: the system does not tell where $address is"
    fi
  done
else
  say "GPU: none"
fi

# The first physical core of that node is for the server, the rest for its engine.
usable=$(expand "$near")
server=$(for core in $usable; do siblings "$core"; break; done)
own=$(expand "$server")
rest=$(for core in $usable; do printf '%s\n' "$own" | grep -qx "$core" || echo "$core"; done)
if [ "$(printf '%s\n' "$rest" | grep -c .)" -lt 2 ]; then
  say "advice: leave CPU_AFFINITY and ENGINE_CPU_AFFINITY at none: there are too few cores to part them"
else
  say "advice: CPU_AFFINITY=$(printf '%s\n' "$own" | join) ENGINE_CPU_AFFINITY=$(printf '%s\n' "$rest" | join)"
fi
say "advice: cpuset of a container: $(printf '%s\n' "$usable" | join)"
