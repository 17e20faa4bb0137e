#!/usr/bin/env bash
# Start a real SLURM on this one machine: controller, accounting database and several nodes, all on 127.0.0.1.
# For tests: nothing is isolated, GPUs are only declared. Installs Debian's packages where they are missing (as root).
#   launchers/slurm/up.sh && source /tmp/sign-recog-slurm/env.sh && sinfo
# A cluster that is up stays as it is. Settings are environment variables; see settings.sh.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$HERE/settings.sh"
unset "${!SBATCH_@}" "${!SRUN_@}" 2>/dev/null || true # settings of the caller's own cluster
ME=$(id -un)
LAST_NODE=node$NODES
DAEMONS=(munged mariadbd slurmdbd slurmctld)
for i in $(seq "$NODES"); do DAEMONS+=("slurmd.node$i"); done

fail() {
  echo "up.sh: $*" >&2
  for log in "$ROOT"/log/*; do
    [ -s "$log" ] && { echo "--- $log"; tail -n 15 "$log"; } >&2
  done
  bash "$HERE/down.sh" >/dev/null 2>&1 || true
  exit 1
}

nodes_answer() { # every node takes jobs
  [ "$(sinfo -h -N -o '%N %t' | awk '$2 ~ /^(idle|mix|alloc|comp)$/ {print $1}' | sort -u | wc -l)" = "$NODES" ]
}

is_up() {
  local daemon node
  for daemon in "${DAEMONS[@]}"; do pid_of "$daemon" >/dev/null || return 1; done
  sacct -n -X >/dev/null 2>&1 || return 1
  for node in $(sinfo -h -N -o '%N %t' | awk '$2 ~ /^(drain|drng|down|fail|inval)/ {print $1}' | sort -u); do
    scontrol update "nodename=$node" state=resume 2>/dev/null || true # a killed job's node
  done
  until_true 5 nodes_answer
}

install_packages() {
  local package missing=() policy=/usr/sbin/policy-rc.d log made=no
  for package in munge slurm-client slurmctld slurmd slurmdbd mariadb-server-core mariadb-client-core; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "SLURM is not installed, and this is not Debian: install ${missing[*]}"
  [ "$(id -u)" = 0 ] || fail "not installed: ${missing[*]}. As root: apt-get install ${missing[*]}"
  echo "up.sh: installing ${missing[*]}"
  # The packages would start daemons of their own.
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=yes; }
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >"$log" 2>&1 && apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; [ $made = no ] || rm -f $policy; fail "apt-get could not install ${missing[*]}"; }
  [ $made = no ] || rm -f $policy
  rm -f "$log"
}

write_gpus() { # a GPU of SLURM's is a device file whose name ends in its number
  : >"$ROOT/etc/gres.conf"
  [ "$GPUS" -gt 0 ] || return 0
  local device=$ROOT/dev/nvidia i
  for i in $(seq 0 $((GPUS - 1))); do
    mknod "$device$i" c 1 3 2>/dev/null || { device=/dev/tty; break; } # without root: any device with such a name
  done
  echo "NodeName=node[1-$NODES] Name=gpu File=$device[0-$((GPUS - 1))]" >"$ROOT/etc/gres.conf"
}

write_configuration() {
  local i host gres=
  host=$(hostname -s 2>/dev/null || hostname)
  [ "$GPUS" = 0 ] || gres="Gres=gpu:$GPUS"
  head -c 128 /dev/urandom >"$ROOT/etc/munge.key"
  cat >"$ROOT/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$ROOT/run/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((PORT + 1))
CommunicationParameters=NoInAddrAny
SlurmUser=$ME
PidFile=$ROOT/run/slurmdbd.pid
LogFile=$ROOT/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((PORT + 2))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CONF
  chmod 600 "$ROOT/etc/munge.key" "$ROOT/etc/slurmdbd.conf"
  cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=$ME
SlurmdUser=$ME
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$ROOT/state
SlurmdSpoolDir=$ROOT/spool/%n
SlurmctldPidFile=$ROOT/run/slurmctld.pid
SlurmdPidFile=$ROOT/run/slurmd.%n.pid
SlurmctldLogFile=$ROOT/log/slurmctld.log
SlurmdLogFile=$ROOT/log/slurmd.%n.log
MailProg=/bin/true
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its old credential has expired: 120 s unless said otherwise. At least KillWait + 3.
AuthInfo=socket=$ROOT/run/munge.sock,cred_expire=10
KillWait=5
# The daemon of accounting reads its socket from here, not from AuthInfo.
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 1))
AccountingStoragePass=$ROOT/run/munge.sock
# Several nodes on one machine, which may claim more than it has; no control groups.
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=60
SlurmdTimeout=60
# Without a default a job would take a node's whole memory.
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
# What can never run is refused, instead of waiting for ever.
EnforcePartLimits=ALL
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1,bf_continue
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
${gres:+GresTypes=gpu}
CONF
  for i in $(seq "$NODES"); do
    echo "NodeName=node$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((PORT + 2 + i)) CPUs=$CPUS Sockets=1" \
      "CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=$MEM_MB $gres State=UNKNOWN"
  done >>"$SLURM_CONF"
  cat >>"$SLURM_CONF" <<CONF
PartitionName=debug Nodes=ALL Default=YES PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=ALL PriorityTier=20 PreemptMode=OFF MaxTime=INFINITE State=UP
PartitionName=scavenge Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE GraceTime=10 MaxTime=INFINITE State=UP
CONF
  echo "export SLURM_CONF='$SLURM_CONF'" >"$ROOT/env.sh"
}

name_nodes() { # torch's processes find one another by the nodes' names
  if [ -w /etc/hosts ]; then
    echo "127.0.0.1 $(seq -s ' ' -f 'node%g' "$NODES") $HOSTS_MARK" >>/etc/hosts
  elif ! getent hosts "$LAST_NODE" >/dev/null; then
    echo "up.sh: /etc/hosts cannot be written, so $LAST_NODE has no address: trainings over several nodes will not start"
  fi
}

start_database() {
  local own=(--no-defaults "--user=$ME" "--datadir=$ROOT/db")
  mariadb-install-db "${own[@]}" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve \
    --innodb-log-file-size=8M --innodb-buffer-pool-size=16M >"$ROOT/log/mariadb-install.log" 2>&1 || fail "no database"
  for host in '%' localhost; do
    echo "CREATE USER IF NOT EXISTS slurm@'$host' IDENTIFIED BY 'slurm';"
    echo "GRANT ALL ON slurm_acct_db.* TO slurm@'$host';"
  done | cat <(echo "CREATE DATABASE IF NOT EXISTS slurm_acct_db;") - >"$ROOT/etc/init.sql"
  setsid mariadbd "${own[@]}" "--socket=$ROOT/run/mariadb.sock" "--pid-file=$ROOT/run/mariadbd.pid" \
    --bind-address=127.0.0.1 "--port=$((PORT + 2))" --skip-name-resolve "--init-file=$ROOT/etc/init.sql" \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=8M --innodb-flush-log-at-trx-commit=0 \
    "--log-error=$ROOT/log/mariadbd.log" </dev/null >>"$ROOT/log/mariadbd.out" 2>&1 &
  disown
  until_true 20 mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P $((PORT + 2)) -u slurm -pslurm \
    -e 'SELECT 1' slurm_acct_db || fail "the database does not answer"
}

start_daemons() { # detached: nothing of theirs may hold the caller's terminal or pipe
  munged "--key-file=$ROOT/etc/munge.key" "--socket=$ROOT/run/munge.sock" "--pid-file=$ROOT/run/munged.pid" \
    "--log-file=$ROOT/log/munged.log" "--seed-file=$ROOT/run/munged.seed" </dev/null >>"$ROOT/log/munged.out" 2>&1 ||
    fail "munged did not start"
  start_database
  slurmdbd </dev/null >>"$ROOT/log/slurmdbd.out" 2>&1 || fail "slurmdbd did not start"
  until_true 20 sacctmgr -n show cluster || fail "slurmdbd does not answer"
  sacctmgr -i -Q add cluster test >/dev/null 2>&1 || true
  slurmctld </dev/null >>"$ROOT/log/slurmctld.out" 2>&1 || fail "slurmctld did not start"
  for i in $(seq "$NODES"); do
    mkdir -p "$ROOT/spool/node$i"
    slurmd -N "node$i" </dev/null >>"$ROOT/log/slurmd.out" 2>&1 || fail "slurmd of node$i did not start"
  done
  until_true 20 scontrol ping || fail "slurmctld does not answer"
  until_true 20 nodes_answer || fail "not every node answers"
}

first_job_is_recorded() { [ "$(sacct -n -X -P -j 1 -o State)" = COMPLETED ]; }

case $ROOT in /*) ;; *) fail "CLUSTER_ROOT=$ROOT must be an absolute path" ;; esac
[ ${#ROOT} -le 50 ] || fail "CLUSTER_ROOT=$ROOT is too long for the names of the sockets in it: at most 50 characters"
if [ -f "$SLURM_CONF" ] && is_up; then
  echo "up.sh: already up; source $ROOT/env.sh"
  exit 0
fi
install_packages
[ ! -d "$ROOT" ] || bash "$HERE/down.sh" >/dev/null # what half a start has left
umask 022
mkdir -p "$ROOT"/{etc,log,run,state,spool,db,dev}
write_gpus
write_configuration
name_nodes
start_daemons
timeout 30 srun -p urgent -N "$NODES" -n "$NODES" true || fail "a first job did not run"
until_true 20 first_job_is_recorded || fail "the first job is not in the accounting"
echo "up.sh: $(sinfo -V), $NODES nodes with $CPUS CPUs and $GPUS declared GPUs each; source $ROOT/env.sh"
