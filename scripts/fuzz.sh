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
    echo "== fuzz $name: $seconds s, $(find "$corpus" -type f | wc -l) seeds"
    "$binary" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix=build/fuzz/crash- "$corpus"
done
