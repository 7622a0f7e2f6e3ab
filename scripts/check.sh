#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that can go red, in the order in which it goes red fastest. Each step says how it went; the
# first failure ends the run, and whatever servers it started are stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=scripts/ending.sh
. scripts/ending.sh
running=
stop_step() { # suites take some seconds to stop their servers
    [ -n "$running" ] && kill -TERM -- "-$running" 2>/dev/null || return 0
    for _ in {1..600}; do
        kill -0 -- "-$running" 2>/dev/null || return 0
        sleep 0.1
    done
}
ending stop_step

# A step that fails ends the run: set -e. Each is a process group of its own (set -m), waited for in the
# background, so that a signal is heard at once and handed on: suites stop their servers.
set -m
step() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    printf '\n== check: %s\n' "$name"
    "$@" </dev/null &
    running=$!
    wait "$running"
    running=
    printf '== check: %s ok (%d s)\n' "$name" $((SECONDS - start))
}

step "packages" scripts/deps.sh check
step "build" make -s -j2 all tools
step "lint" make -s lint
step "unit tests" make -s -j2 test
step "simulator" make -s -j2 sim-short
step "unit tests, ASan and UBSan" make -s -j2 asan
step "coverage" make -s -j2 coverage
step "fuzzing, short" make -s -j2 fuzz-short
step "integration" make -s -j2 integration
step "transport, rights, secrecy" make -s -j2 security
step "faults, short" make -s -j2 chaos-short
printf '\nmake check: everything passed (%d s)\n' "$SECONDS"
