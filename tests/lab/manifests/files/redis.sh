#!/usr/bin/env bash
# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# redis.sh server|sentinel: starts a Redis server in the right role, or a Sentinel that watches the right master.
# Members know each other by name, because a pod that comes back has another address.
set -euo pipefail
MASTER_NAME=tars
DOMAIN=data.svc.cluster.local
SERVERS=("redis-0.redis.$DOMAIN" "redis-1.redis.$DOMAIN")
me=$HOSTNAME.${HOSTNAME%-*}.$DOMAIN

ask() { timeout 2 redis-cli "$@" 2>/dev/null || true; }

# Asks the other Sentinels in turn; the first that answers is believed. Nothing where none does.
ask_sentinels() {
  local sentinel answer
  for sentinel in 0 1 2; do
    [ "sentinel-$sentinel" != "$HOSTNAME" ] || continue
    answer=$(ask -h "sentinel-$sentinel.sentinel.$DOMAIN" -p 26379 --raw sentinel "$@")
    [ -z "$answer" ] || { echo "$answer" && return; }
  done
}

# The master's name as the Sentinels have it (they answer with an error where they know none yet).
known_master() { ask_sentinels get-master-addr-by-name "$MASTER_NAME" | sed -n "1{/[.]$DOMAIN\$/p}"; }

# Whether the Sentinels have seen a replica. They have not when the lab starts for the first time, and only one that
# they have seen can be promoted.
known_replica() { [[ $(ask_sentinels replicas "$MASTER_NAME") == *"$DOMAIN"* ]]; }

# The server that calls itself master; the first one where none does.
acting_master() {
  local server
  for server in "${SERVERS[@]}"; do
    [ "$server" != "$me" ] || continue
    [ "$(ask -h "$server" --raw role | head -n 1)" != master ] || { echo "$server" && return; }
  done
  echo "${SERVERS[0]}"
}

# A master that comes back empty, or late, before anybody noticed would take its replica's data away. As long as the
# other server lives, it waits until the Sentinels have made that one master.
role_after_restart() {
  local master peer turn
  master=$(known_master)
  [ -n "$master" ] || master=$(acting_master)
  for peer in "${SERVERS[@]}"; do [ "$peer" = "$me" ] || break; done
  for turn in {1..30}; do
    if [ "$master" != "$me" ] || ! known_replica || [ "$(ask -h "$peer" ping)" != PONG ]; then break; fi
    echo "was the master; waiting for the Sentinels to promote $peer ($turn)" >&2
    sleep 1
    master=$(known_master)
    master=${master:-$me}
  done
  echo "$master"
}

server() {
  local master
  master=$(role_after_restart)
  echo "$me starts, master is $master"
  set -- --port 6379 --dir /data --appendonly yes --save '' --protected-mode no --replica-announce-ip "$me" \
    --repl-diskless-sync-delay 0 --repl-backlog-size 4mb --maxmemory 64mb --maxmemory-policy noeviction
  [ "$master" = "$me" ] || set -- "$@" --replicaof "$master" 6379
  exec redis-server "$@"
}

sentinel() {
  local master
  master=$(known_master)
  [ -n "$master" ] || master=$(acting_master)
  until getent hosts "$master" "$me" >/dev/null; do sleep 0.3; done
  # Sentinel writes what it learns into this file.
  cat >/data/sentinel.conf <<CONF
port 26379
dir /data
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $me
sentinel monitor $MASTER_NAME $master 6379 2
sentinel down-after-milliseconds $MASTER_NAME 2000
sentinel failover-timeout $MASTER_NAME 6000
sentinel parallel-syncs $MASTER_NAME 1
CONF
  exec redis-server /data/sentinel.conf --sentinel
}

"$1"
