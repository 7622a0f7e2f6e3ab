#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Circles among object files: one that uses a symbol of another, which uses one of the first. Such files
# cannot be read, tested or replaced one at a time. `circles.sh OBJECT...` names each circle; exit 1 if any.
set -euo pipefail

pairs() {
    nm -A -g "$@" | awk '
        { file = $1; sub(/:.*/, "", file); sub(/\.o$/, "", file); sub(/^build\/[a-z]*\//, "", file) }
        $2 == "U" { uses[file " " $3]; next }
        { home[$3] = file }
        END { for (use in uses) { split(use, u, " ")
                  if (u[2] in home && home[u[2]] != u[1]) print u[1], home[u[2]] } }'
}

if circles=$(pairs "$@" | tsort 2>&1 >/dev/null); then
    echo "circles: $# object files, none"
else
    sed 's/^tsort: //; s/^-: input contains a loop:/a circle:/' <<<"$circles" >&2
    exit 1
fi
