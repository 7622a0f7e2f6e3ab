#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How many lines of each folder the unit tests and the agreement run have executed, from build/coverage. A
# folder below its floor is an error. A floor may only rise: raise it when a folder stands well above it.
#
#     coverage.sh [FOLDER]     with a folder: each of its files, the least covered first
set -euo pipefail
cd "$(dirname "$0")/.."

FLOORS='
core    95
ingest  91
pricing 92
store   71
run     85
'
OBJECTS=build/coverage

# "file lines executed" of each source below a folder; a file that no test links has no counts at all.
files() { # FOLDER
    local source object
    git ls-files "$1/*.c" | while read -r source; do
        object=$OBJECTS/${source%.c}
        ${GCOV:-gcov} -n -o "$(dirname "$object")" "$object.gcno" 2>/dev/null | awk -v source="$source" '
            $0 == "File '\''" source "'\''" { here = 1; next }
            here && /^Lines executed:/ { sub(/^Lines executed:/, ""); split($0, f, "% of "); lines = f[2]
                done = int(f[1] * f[2] / 100 + 0.5); here = 0 }
            END { print source, lines + 0, done + 0 }'
    done
}

if [ $# -gt 0 ]; then
    files "$1" | awk '$2 { printf "%6.1f %%  %5d of %5d  %s\n", $3 * 100 / $2, $3, $2, $1 }' | sort -n
    exit
fi

failed=0
while read -r folder floor; do
    [ -n "$folder" ] || continue
    read -r lines executed < <(files "$folder" | awk '{ l += $2; e += $3 } END { print l, e }')
    awk -v f="$folder" -v l="$lines" -v e="$executed" -v floor="$floor" 'BEGIN { p = e * 100 / l
        printf "%-8s %6.1f %%  %5d of %5d lines, floor %d %%%s\n", f, p, e, l, floor, p < floor ? "   <- below" : ""
        exit p < floor }' || failed=1
done <<<"$FLOORS"
exit $failed
