# Shared by up.sh and down.sh: where the test cluster lives, how big it is, and which processes are its own.
#
#   CLUSTER_ROOT     $TMPDIR/sign-recog-slurm   configuration, state, logs and sockets; at most 50 characters
#   CLUSTER_NODES    2       nodes, named node1, node2, ...
#   CLUSTER_CPUS     16      CPUs a node claims; may be more than there are
#   CLUSTER_MEM_MB   130000  memory a node claims
#   CLUSTER_GPUS     2       GPUs a node declares; they are null devices
#   CLUSTER_PORT     46900   the first of 3 + CLUSTER_NODES ports on 127.0.0.1
ROOT=${CLUSTER_ROOT:-${TMPDIR:-/tmp}/sign-recog-slurm}
NODES=${CLUSTER_NODES:-2}
CPUS=${CLUSTER_CPUS:-16}
MEM_MB=${CLUSTER_MEM_MB:-130000}
GPUS=${CLUSTER_GPUS:-2}
PORT=${CLUSTER_PORT:-46900}
export SLURM_CONF=$ROOT/etc/slurm.conf PATH=$PATH:/usr/sbin:/sbin
HOSTS_MARK="# sign_recog test cluster $ROOT"

# pid_of NAME: the process that run/NAME.pid names, if it is still that program. A process number may have gone to another.
pid_of() {
  local pid
  pid=$(cat "$ROOT/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${1%%.*}" ] || return 1
  is_ours "$pid" && echo "$pid"
}

# is_ours PID: whether a living process was started for this cluster.
is_ours() {
  [ -n "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ] || return 1 # a zombie has none
  grep -qzF "SLURM_CONF=$SLURM_CONF" "/proc/$1/environ" 2>/dev/null || grep -qzF "$ROOT/" "/proc/$1/cmdline" 2>/dev/null
}

# until_true SECONDS COMMAND...: repeat COMMAND until it succeeds.
until_true() {
  local tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}
