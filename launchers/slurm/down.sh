#!/usr/bin/env bash
# End the cluster that up.sh started, and nothing else; then remove its folder and its line in /etc/hosts.
#   launchers/slurm/down.sh
set -uo pipefail
source "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/settings.sh"

end() { # PID: TERM, and KILL after 8 s
  local pid=$1
  kill -TERM "$pid" 2>/dev/null || return 0
  for _ in $(seq 80); do
    is_ours "$pid" || return 0
    sleep 0.1
  done
  echo "down.sh: process $pid did not end, so it is killed"
  kill -KILL "$pid" 2>/dev/null
}

end_daemon() {
  local pid
  pid=$(pid_of "$1") && end "$pid"
}

no_jobs() { [ -z "$(timeout 5 squeue -h)" ]; }

[ -d "$ROOT" ] || { echo "down.sh: nothing at $ROOT"; exit 0; }
[ -d "$ROOT/etc" ] && [ -d "$ROOT/run" ] || { echo "down.sh: $ROOT is not a test cluster's folder"; exit 1; }

# Jobs first, so that none of their processes outlives the cluster.
if pid_of slurmctld >/dev/null; then
  timeout 5 scancel --state=PENDING -u "$(id -un)" 2>/dev/null
  timeout 5 scancel -u "$(id -un)" 2>/dev/null
  until_true 12 no_jobs
fi
for file in "$ROOT"/run/slurmd.*.pid; do
  [ -f "$file" ] && end_daemon "$(basename "$file" .pid)"
done
for process in /proc/[0-9]*; do
  pid=${process#/proc/}
  [ "$(cat "$process/comm" 2>/dev/null)" = slurmstepd ] && is_ours "$pid" && end "$pid"
done
for daemon in slurmctld slurmdbd mariadbd munged; do end_daemon $daemon; done
if [ -w /etc/hosts ] && grep -qF "$HOSTS_MARK" /etc/hosts; then
  others=$(grep -vF "$HOSTS_MARK" /etc/hosts)
  printf '%s\n' "$others" >/etc/hosts # in place: it may be a mount
fi
rm -rf "$ROOT"
echo "down.sh: the cluster at $ROOT has ended"
