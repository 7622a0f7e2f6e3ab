#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole way once, on this machine, and nothing left running: install what is missing, build, start a
# private Kafka and PostgreSQL, stream a week of gateway events through them, show what was spent.
set -euo pipefail
cd "$(dirname "$0")/.."
export LOCAL=${LOCAL:-.local/demo}
topic=llm.usage

step() { printf '\n== %s\n' "$*"; }

stop() { scripts/local.sh down || true; }

report() { ./spendlog report -q -c "$LOCAL/spendlog.yaml" "$@"; }

# The request with the most parts to its price: the one worth explaining.
request_id() {
    psql -qXAtc "SELECT request_id FROM spendlog.spend_logs
        WHERE pricing_status = 'priced' AND cache_read_tokens > 0 AND cache_write_tokens > 0
        ORDER BY spend DESC, request_id LIMIT 1"
}

# shellcheck source=scripts/ending.sh
. scripts/ending.sh
ending stop
step "packages"
scripts/deps.sh demo
step "build"
make -s -j2 spendlog build/release/tests/tools/kafka_tool

step "servers"
scripts/local.sh clean
scripts/local.sh up
# shellcheck source=/dev/null
. "$LOCAL/env"

step "events: produce to Kafka, consume, price, store"
scripts/demo_events.py tests/cases/demo/*-events.jsonl | kcat -b "$KAFKA_BROKERS" -t "$topic" -P
./spendlog run -c "$LOCAL/spendlog.yaml" --exit-eof

step "spend by model"
report --by model --limit 12
step "spend by team"
report --by team
step "one event's row, and where its price comes from"
id=$(request_id)
psql -qXx -c "SELECT start_time, provider, model, team_id, api_key_alias, end_user, request_tags, input_tokens,
    cache_read_tokens, cache_write_tokens, output_tokens, spend, gateway_cost, pricing_status
    FROM spendlog.spend_logs WHERE request_id = '$id'"
./spendlog explain -q -c "$LOCAL/spendlog.yaml" "$id"
step "nothing lost, nothing twice"
./spendlog verify -q -c "$LOCAL/spendlog.yaml"

cat <<EOF

== to look further
The rows stay in $LOCAL; this starts its servers again and asks:

    LOCAL=$LOCAL make up
    (. $LOCAL/env; psql -c 'SELECT start_time, model, team_id, spend FROM spendlog.spend_logs ORDER BY spend DESC NULLS LAST LIMIT 10')
    LOCAL=$LOCAL make down
EOF
