#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that can go red, in the order in which it goes red fastest. Each step says how it went; the
# first failure ends the run, and whatever servers it started are stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=scripts/ending.sh
. scripts/ending.sh
ending :

# A step that fails ends the run: set -e.
step() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    printf '\n== check: %s\n' "$name"
    "$@" </dev/null
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
