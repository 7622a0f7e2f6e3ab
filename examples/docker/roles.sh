#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs once, before the migrations: the role that Grafana logs in with.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'EOF'
CREATE ROLE spendlog_reader LOGIN PASSWORD :'password';
EOF
