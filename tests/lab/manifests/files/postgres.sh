#!/usr/bin/env bash
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# postgres.sh primary|standby: makes the data folder where there is none that fits, then runs the server.
# Expects POSTGRES_PASSWORD and REPLICATION_PASSWORD, and PRIMARY (host) for the standby.
set -euo pipefail
umask 077
for programs in /usr/lib/postgresql/*/bin; do PATH=$programs:$PATH; done
export PGDATA=/data/postgres
SLOT=standby

make_primary() {
  [ ! -s "$PGDATA/ready" ] || return 0
  rm -rf "$PGDATA" # what an interrupted first start left
  initdb --username=postgres --pwfile=<(printf '%s' "$POSTGRES_PASSWORD") --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256
  printf '%s\n' 'host all all all scram-sha-256' 'host replication replicator all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  printf "CREATE ROLE replicator LOGIN REPLICATION PASSWORD '%s'\n" "$REPLICATION_PASSWORD" |
    postgres --single postgres >/dev/null
  echo initialised >"$PGDATA/ready"
}

# Asks the primary as the standby's own role.
ask() { PGPASSWORD=$REPLICATION_PASSWORD psql -XqAt -h "$PRIMARY" -U replicator "$@"; }

# Whether the copy that lies here is one of this primary and can still go on from where it stopped.
copy_fits() {
  [ -s "$PGDATA/ready" ] || return 1
  local here there slot
  here=$(pg_controldata | sed -n 's/^Database system identifier: *//p')
  there=$(ask -d postgres -c 'SELECT system_identifier FROM pg_control_system()')
  slot=$(ask -d postgres -c "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '$SLOT'")
  [ "$here" = "$there" ] && [ -n "$slot" ] && [ "$slot" != lost ]
}

make_standby() {
  until pg_isready -q -h "$PRIMARY"; do sleep 0.5; done
  if copy_fits; then return 0; fi
  echo "copying the primary $PRIMARY"
  rm -rf "$PGDATA"
  ask -d 'dbname=postgres replication=true' -c "DROP_REPLICATION_SLOT $SLOT WAIT" 2>/dev/null || true # the first time there is none
  PGPASSWORD=$REPLICATION_PASSWORD pg_basebackup -h "$PRIMARY" -U replicator -D "$PGDATA" --checkpoint=fast \
    --wal-method=stream --create-slot --slot="$SLOT" --write-recovery-conf
}

case $1 in
  primary) make_primary ;;
  standby) make_standby ;;
  *)
    echo "postgres.sh: give primary or standby, not $1" >&2
    exit 2
    ;;
esac
# Kubernetes' SIGTERM would wait for every client to leave; a fast shutdown ends them and keeps all data.
postgres -c config_file=/config/postgresql.conf &
server=$!
trap 'kill -INT "$server"' TERM INT
while kill -0 "$server" 2>/dev/null; do wait "$server" && code=0 || code=$?; done
exit "${code:-0}"
