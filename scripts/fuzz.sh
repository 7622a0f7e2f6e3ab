#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh SECONDS BINARY...: runs each libFuzzer target for so long from its seeds. What crashed is left in
# build/fuzz/crash-*; a fixed one becomes a seed in tests/fuzz/seeds/X.
set -euo pipefail
seconds=$1
shift
for binary in "$@"; do
    name=${binary##*/fuzz_}
    source=tests/fuzz/fuzz_$name.c
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    # Without words in `seeds:` there is only the corpus that earlier runs found.
    read -r -a seeds <<<"$(sed -n 's|.*seeds: *\([^*]*\).*|\1|p' "$source")"
    for seed in tests/fuzz/seeds/"$name" "${seeds[@]}"; do
        [ ! -e "$seed" ] || find "$seed" -type f -size -64k -exec cp -n -t "$corpus" {} +
    done
    log=build/fuzz/$name.log
    if ! "$binary" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix=build/fuzz/crash- "$corpus" >"$log" 2>&1 </dev/null; then
        cat "$log"
        echo "FAIL fuzz $name"
        exit 1
    fi
    echo "PASS fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, $(find "$corpus" -type f | wc -l) in the corpus"
done
