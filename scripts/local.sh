#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Private servers for development, demo and tests: one PostgreSQL, one Apache Kafka (KRaft, one node).
#
#   scripts/local.sh up | down | clean | status        (make up, make down, make clean-local)
#   scripts/local.sh configuration                     writes env and spendlog.yaml again
#   scripts/local.sh kafka-up | kafka-down [KILL] | postgres-up | postgres-down [MODE]
#
# Everything is in $LOCAL (default .local). `up` leaves env (shell assignments for kcat and psql) and
# spendlog.yaml there. PostgreSQL refuses root and its user may not be able to enter the checkout, and
# a socket's path is short, so its folder is made under /tmp and linked from $LOCAL/run.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
LOCAL=${LOCAL:-.local}
JARS=${SPENDLOG_JARS:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/spendlog/kafka-4.3.1}
PARTITIONS=${PARTITIONS:-12}
TOPIC=llm.usage

# shellcheck source=scripts/ending.sh
. scripts/ending.sh

say() { printf '%s\n' "$*" >&2; }
die() { say "local: $*"; exit 69; }

# as_server CMD...: as a user PostgreSQL accepts.
as_server() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        (cd / && exec runuser -u "$(server_user)" -- "$@")
    fi
}

server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

pg_bin() {
    local dir
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(pg_config --bindir 2>/dev/null || true)"; do
        if [ -x "$dir/initdb" ]; then
            echo "$dir"
            return
        fi
    done
    die "no PostgreSQL server found; scripts/deps.sh installs it"
}

# The pid in a pid file, if that process is alive and its command line mentions WORD.
alive() { # PIDFILE WORD
    local pid
    pid=$(head -n 1 "$1" 2>/dev/null) || return 1
    [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -F -- "$2" >/dev/null && echo "$pid"
}

run_dir() {
    [ -d "$LOCAL/run/" ] || {
        mkdir -p "$LOCAL"
        rm -f "$LOCAL/run"
        local dir
        dir=$(mktemp -d /tmp/spendlog.XXXXXX)
        chown "$(server_user)" "$dir"
        ln -s "$dir" "$LOCAL/run"
    }
    readlink -f "$LOCAL/run"
}

# --- PostgreSQL ---

postgres_pid() { alive "$LOCAL/run/data/postmaster.pid" postgres; }

postgres_up() {
    local dir bin
    dir=$(run_dir)
    bin=$(pg_bin)
    postgres_pid >/dev/null && return
    if [ ! -d "$dir/data" ]; then
        rm -rf "$dir/data.new" # of an initdb that was interrupted
        as_server "$bin/initdb" --no-sync -U spendlog -A trust -E UTF8 --locale=C.UTF-8 -D "$dir/data.new" \
            >"$LOCAL/initdb.log" 2>&1 || die "initdb failed, see $LOCAL/initdb.log"
        as_server tee -a "$dir/data.new/postgresql.conf" >/dev/null <<EOF
listen_addresses = ''
unix_socket_directories = '$dir'
port = 5432
max_connections = 100
shared_buffers = 256MB
max_wal_size = 2GB
timezone = 'UTC'
EOF
        mv "$dir/data.new" "$dir/data"
    fi
    as_server "$bin/pg_ctl" -s -w -t 60 -D "$dir/data" -l "$dir/postgres.log" start >/dev/null 2>&1 ||
        die "PostgreSQL did not start, see $LOCAL/run/postgres.log"
    psql_local -d postgres -tAc "SELECT 1 FROM pg_database WHERE datname = 'spend'" | grep 1 >/dev/null ||
        psql_local -d postgres -c 'CREATE DATABASE spend'
}

psql_local() { psql -h "$(readlink -f "$LOCAL/run")" -p 5432 -U spendlog -qX -v ON_ERROR_STOP=1 "$@"; }

postgres_down() { # [MODE]
    local pid
    pid=$(postgres_pid) || return 0
    as_server "$(pg_bin)/pg_ctl" -s -w -m "${1:-fast}" -D "$(readlink -f "$LOCAL/run")/data" stop >/dev/null 2>&1 || true
    wait_gone "$pid"
}

# --- Kafka ---

kafka_pid() { alive "$LOCAL/kafka/pid" "$root_local/kafka/server.properties"; }

# The jars, once, into a cache that all checkouts share; a half-made copy is never seen.
jars_fetch() {
    [ -f "$JARS/complete" ] && return
    say "local: fetching Apache Kafka from Maven Central (once)"
    mkdir -p "$(dirname "$JARS")"
    local new
    new=$(mktemp -d "$JARS.XXXXXX")
    if ! mvn -q -B -f scripts/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$new" </dev/null >"$LOCAL/maven.log" 2>&1; then
        rm -rf "$new"
        cat "$LOCAL/maven.log" >&2
        die "Maven could not fetch the jars"
    fi
    touch "$new/complete"
    mv -T "$new" "$JARS" 2>/dev/null || rm -rf "$new" # another checkout was faster
}

# Below the ports that outgoing connections get: a client that tries again and again while the broker is
# down could take its port, or connect to itself.
free_ports() { # COUNT
    python3 - "$1" <<'EOF'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randrange(12000, 32000)))
    except OSError:
        continue
    held.append(s)
print(*(s.getsockname()[1] for s in held))
EOF
}

kafka_configure() {
    local broker controller
    if [ -f "$LOCAL/kafka/port" ]; then
        read -r broker controller <"$LOCAL/kafka/port"
    else
        read -r broker controller <<<"$(free_ports 2)"
    fi
    echo "$broker $controller" >"$LOCAL/kafka/port"
    cat >"$LOCAL/kafka/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$broker,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$broker
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$root_local/kafka/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=4194304
EOF
}

kafka_start() {
    kafka_configure
    if [ ! -f "$LOCAL/kafka/data/meta.properties" ]; then
        local id
        # 16 bytes in base64; without '-', which would make every 64th one an option.
        id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=')
        java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$JARS/*" \
            -Dlog4j2.configurationFile="$root/scripts/kafka/log4j2.xml" \
            kafka.tools.StorageTool format -t "$id" -c "$root_local/kafka/server.properties" >"$LOCAL/kafka/format.log" 2>&1 || die "the format of Kafka's storage failed, see $LOCAL/kafka/format.log"
    fi
    # A session of its own: Ctrl-C at the terminal is for the script, which then stops the server. It writes
    # its pid itself, so there is no moment in which it runs and nobody knows.
    setsid sh -c 'echo $$ >"$1" && shift && exec "$@"' - "$LOCAL/kafka/pid" \
        java -Xmx256m -XX:+UseSerialGC -cp "$JARS/*" -Dlog4j2.configurationFile="$root/scripts/kafka/log4j2.xml" \
        kafka.Kafka "$root_local/kafka/server.properties" </dev/null >>"$LOCAL/kafka/server.log" 2>&1 &
    until kafka_pid >/dev/null || ! kill -0 $! 2>/dev/null; do sleep 0.05; done
}

kafka_answers() { kcat -b "127.0.0.1:$(cut -d' ' -f1 "$LOCAL/kafka/port")" -L -J -m 1 >/dev/null 2>&1; }

kafka_wait() {
    local tries
    for tries in $(seq 300); do
        kafka_pid >/dev/null || return 1
        kafka_answers && return 0
        sleep 0.2
    done
    return 1
}

kafka_up() {
    local try
    mkdir -p "$LOCAL/kafka"
    kafka_pid >/dev/null && return
    jars_fetch
    for try in 1 2 3; do
        kafka_start
        kafka_wait && return
        kafka_down 9
        # A port taken by somebody meanwhile: choose others.
        rm -f "$LOCAL/kafka/port"
        say "local: Kafka did not come up (try $try), see $LOCAL/kafka/server.log"
    done
    die "Kafka does not start"
}

kafka_down() { # [SIGNAL]
    local pid
    pid=$(kafka_pid) || return 0
    kill "-${1:-TERM}" "$pid" 2>/dev/null || true
    wait_gone "$pid"
    rm -f "$LOCAL/kafka/pid"
}

# Waits up to 15 s for the end of a process, then kills it.
wait_gone() {
    local tries
    for tries in $(seq 150); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$1" 2>/dev/null || true
}

# --- both ---

# Where things are, for shells and for the program.
configuration() {
    local broker
    broker=127.0.0.1:$(cut -d' ' -f1 "$LOCAL/kafka/port")
    cat >"$LOCAL/env" <<EOF
export KAFKA_BROKERS=$broker
export PGHOST=$(readlink -f "$LOCAL/run")
export PGPORT=5432
export PGUSER=spendlog
export PGDATABASE=spend
EOF
    cat >"$LOCAL/spendlog.yaml" <<EOF
kafka:
  bootstrap.servers: $broker
  group.id: spendlog
topics:
  - name: $TOPIC
postgres: host=$(readlink -f "$LOCAL/run") port=5432 user=spendlog dbname=spend
storage: {retain_days: 0}
metrics: {listen: ""}
EOF
}

topic_create() {
    local broker
    broker=127.0.0.1:$(cut -d' ' -f1 "$LOCAL/kafka/port")
    kcat -b "$broker" -L -J 2>/dev/null | grep "\"topic\":\"$TOPIC\"" >/dev/null ||
        "${BUILD:-build/release}/tests/tools/kafka_tool" -X enable.idempotence=false "$broker" create "$TOPIC" "$PARTITIONS"
}

up() {
    mkdir -p "$LOCAL"
    if ! kafka_pid >/dev/null && ! postgres_pid >/dev/null; then
        ending up_failed
    fi
    set -m # a process group of its own, so that up_failed reaches all of it
    kafka_up &
    kafka_job=$!
    set +m
    postgres_up
    wait "$kafka_job" || exit 69
    configuration
    topic_create
    if [ -x ./spendlog ]; then
        ./spendlog migrate -q -c "$LOCAL/spendlog.yaml" >/dev/null
    else
        say "local: no ./spendlog yet, so the database is empty: make && ./spendlog migrate -c $LOCAL/spendlog.yaml"
    fi
    trap - EXIT INT TERM
    say "local: up; . $LOCAL/env for kcat and psql; ./spendlog run -c $LOCAL/spendlog.yaml"
}

# Interrupted or failed half way: nothing of it stays running.
up_failed() {
    [ -z "${kafka_job:-}" ] || kill -- "-$kafka_job" 2>/dev/null || true
    down
}

down() {
    kafka_down &
    postgres_down
    wait
}

clean() {
    [ -e "$LOCAL" ] || return 0
    down
    [ ! -d "$LOCAL/run/" ] || rm -rf "$(readlink -f "$LOCAL/run")"
    rm -rf "$LOCAL"
}

status() {
    echo "kafka: $(kafka_pid || echo down)"
    echo "postgres: $(postgres_pid || echo down)"
}

root_local=$(realpath -m "$LOCAL")
case ${1:-} in
up | down | clean | status | configuration) "$1" ;;
kafka-up | kafka-down | postgres-up | postgres-down)
    command=${1/-/_}
    shift
    "$command" "$@"
    ;;
*) say "usage: $0 up|down|clean|status|kafka-up|kafka-down|postgres-up|postgres-down"; exit 64 ;;
esac
