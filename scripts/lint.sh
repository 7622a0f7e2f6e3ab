#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a compiler does not check: style, layers, banned functions, lengths, documented settings, static
# analysis. Every check runs; exit 1 if any found something. `lint.sh NAME...` runs only those.
set -u
cd "$(dirname "$0")/.."

# A check whose tool is missing finds nothing, which is not the same as nothing being there.
for tool in clang-format cppcheck ctags git man pyflakes3; do
    command -v "$tool" >/dev/null || { echo "lint: no $tool here; scripts/deps.sh check installs it" >&2; exit 69; }
done

FUNCTION_LINES_MAX=70
FILE_LINES_MAX=800
MUST_LINES_MAX=60
# internalAstError: cppcheck 2.10 does not know every C11 expression.
CPPCHECK_SUPPRESS=(missingIncludeSystem unmatchedSuppression internalAstError)

mapfile -t sources < <(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' | xargs -r ls -d 2>/dev/null)
mapfile -t ours < <(printf '%s\n' "${sources[@]}" | grep -E '^(core|ingest|pricing|store|run|cli)/')

# --- the checks: each prints what it finds and fails if that is anything ---

lint_format() {
    clang-format --dry-run -Werror "${sources[@]}"
}

# The Makefile's table of what each folder sees. `pricing` is what the price book shows to the others: its
# headers beside the rooms, which the rooms see too.
lint_layers() {
    local folder seen
    { sed -nE 's|^SEES\.([a-z/]+) *:= *|\1 |p' Makefile; echo 'pricing core'; } | while read -r folder seen; do
        [[ $folder != pricing/* ]] || seen+=" pricing"
        grep -nE '^#include "' "$folder"/*.[ch] /dev/null |
            grep -vE "#include \"($folder${seen:+|${seen// /|}})/[a-z_0-9.]+\"" |
            sed 's/$/   <- not a folder this one may see/'
    done | report
}

# No header includes one that includes it; among the objects `make layers` looks for the same.
lint_circles() {
    grep -HE '^#include "[^"]*\.h"' $(printf '%s\n' "${ours[@]}" | grep '\.h$') |
        sed -E 's/^([^:]*):#include "([^"]*)".*/\1 \2/' | tsort 2>&1 >/dev/null | sed 's/^tsort: //' | report
}

# A row of providers.def with a word that is nothing, or a combination that cannot be, is an error in its line.
lint_providers() {
    local folder row good='PROVIDER(Z, "zz", other, keyed, sized, plain, 0, NO_ALIAS)'
    folder=$(mktemp -d)
    for row in "$good" "${good/other/othre}" "${good/keyed/kyed}" "${good/sized/size}" "${good/plain/plan}" \
        "${good/0/TRAIT_NONE}" "${good/0/TRAIT_STATES_COST}" "${good/0/TRAIT_ROUTER_ALONE}" "${good/other/xai}" "${good/\"zz\"/zz}" "${good/Z,/OPENAI,}"; do
        echo "$row" >"$folder/row.def"
        for file in core/providers.c pricing/bill/formulas.c pricing/names/rules.c; do
            ${CC:-cc} -fsyntax-only -std=c11 -I. -D_GNU_SOURCE "-DPROVIDERS_MORE=\"$folder/row.def\"" $file
        done >"$folder/said" 2>&1
        case $row in
        "$good") [ ! -s "$folder/said" ] || echo "core/providers.def: a good row is refused: $(head -n 1 "$folder/said")" ;;
        *) grep -q 'error: ' "$folder/said" && grep -q 'row.def:1:' "$folder/said" || echo "core/providers.def: a wrong row is taken: $row" ;;
        esac
    done | report
    local status=$?
    rm -r "$folder"
    grep -nE '[!=]= PROVIDER_' "${ours[@]}" | grep -v 'PROVIDER_OTHER' |
        sed 's/$/   <- what is special about a provider is in its row/' | report || status=1
    return $status
}

# A fake stands for its whole header: a call that it lacks would go to the real one, with the fake's memory.
lint_fakes() {
    local row name header
    for row in 'kafka ingest/kafka.h' 'writer store/writer.h'; do
        header=${row#* }
        ctags -x --c-kinds=p --_xformat='%N' "$header" | while read -r name; do
            grep -qE "^[a-z].*\\b$name\\(" "tests/fakes/${row%% *}.c" || echo "tests/fakes/${row%% *}.c: no $name() of $header"
        done
    done | report
}

# A library has one home; cli/main.c prints its version.
lint_foreign_headers() {
    local row header homes
    for row in \
        'librdkafka/ ingest/kafka' \
        'libpq store/' \
        'yaml.h core/yaml.c|cli/main.c' \
        'jansson.h pricing/|store/|cli/|ingest/registry.c|ingest/avro_logical.c' \
        'avro.h ingest/avro.c' \
        'curl/ ingest/registry.c' \
        'microhttpd.h run/metrics.c|cli/main.c'; do
        header=${row%% *} homes=${row#* }
        grep -nE "^#include <${header//./\\.}" "${ours[@]}" | grep -vE "^(${homes//./\\.})" |
            sed 's/$/   <- this header has another home/'
    done | report
}

# No bounds, hidden state, or errors that cannot be told from values.
lint_banned() {
    grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atoll|atof|gets|alloca|system|popen|mktemp|tmpnam|gmtime|localtime|ctime|asctime|rand)\(' "${ours[@]}" | report
    local status=$?
    grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}" Makefile scripts/*.sh | grep -v '^scripts/lint.sh:' | report || status=1
    return "$status"
}

# What is put together in a buffer is printed by show_buf() (core/show.h): it may not be whole.
lint_whole() {
    grep -nE '^ +fwrite\(.*(\.|->)p,|\bprintf\(.*buf_slice\(' cli/*.c core/config*.c | sed 's|$|   <- show_buf()|' | report
}

# Time and sleeping are asked of core/clock.h, which tests and the simulator replace; a condition of a thread wants an instant.
lint_clock() {
    grep -nE '\b(clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|clock_nanosleep)\((CLOCK|&|NULL|[0-9a-z_]*\))' "${ours[@]}" |
        grep -vE '^(core/clock\.c|ingest/kafka\.c|tests/)' | sed 's|$|   <- core/clock.h|' | report
}

# A place in Kafka is written topic/partition/offset, so that it can be pasted.
lint_places() {
    grep -nE '(%s|FMT ") ?\[%l*d\]' "${ours[@]}" | sed 's|$|   <- topic/partition/offset|' | report
}

lint_lengths() {
    {
        ctags -x --c-kinds=f --_xformat='%F:%n %{end} %N' "${ours[@]}" |
            awk -v max=$FUNCTION_LINES_MAX '{ split($1, at, ":"); lines = $2 - at[2] + 1
                if (lines > max) print $1 ": " $3 " has " lines " lines, the wall is " max }'
        wc -l "${ours[@]}" | awk -v max=$FILE_LINES_MAX '$2 != "total" && $1 > max { print $2 ": " $1 " lines, the wall is " max }'
    } | report
}

# What keeps the books checks itself: one MUST() for so many lines at least (core/must.h).
lint_invariants() {
    local folder lines musts
    for folder in store run; do
        lines=$(cat "$folder"/*.[ch] | wc -l)
        musts=$(cat "$folder"/*.[ch] | grep -c '\bMUST(')
        [ $((musts * MUST_LINES_MAX)) -ge "$lines" ] || echo "$folder/: $musts MUST() in $lines lines, one for $MUST_LINES_MAX is the least"
        grep -nE '(^|[^_])\bassert\(' "$folder"/*.[ch] | sed 's/$/   <- MUST() says the state, too/'
    done | report
}

# Each file says under which licence it is, in its first three lines.
lint_licence() {
    local file
    for file in "${sources[@]}" Makefile scripts/*.sh migrations/*.sql; do
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file: no SPDX line"
    done | report
}

# After licence and what the Makefile reads, a comment that says what the file is for.
lint_purpose() {
    awk 'FNR == 1 { done = 0; said = "" }
        done { next }
        /SPDX-License-Identifier/ || /^$/ { next }
        FNR > 1 && (/^(\/\*| \*)/) { line = $0
            gsub(/(^|\/\*) *\*? *(links|with|fakes|ldflags|seeds): .*|[\/* ]/, "", line); said = said line; next }
        { done = 1; if (length(said) < 12) print FILENAME ": does not begin with what it is for" }' "${sources[@]}" | report
}

# Plain word order in what people read: "is not a number", never "is no number".
lint_english() {
    grep -nE '\b(is|are|was|were) no( |$)|\b(lest|let him|finds no|one no more)\b' "${sources[@]}" \
        core/*.def scripts/*.sh docs/*.md docs/*/*.md docs/*.[0-9] README.md CHANGELOG.md CONTRIBUTING.md |
        grep -vE '\bthere (is|are|was|were) no\b|\b(is|are|was|were) no (longer|larger|proof)\b|^scripts/lint.sh:' | report
}

# A setting is documented under its own name, written as the page writes it.
lint_settings() {
    local name page=docs/spendlog.conf.5
    sed -n 's/^SETTING("\([^"]*\)".*/\1/p' core/config.def | while read -r name; do
        sed 's/\\-/-/g; s/\\&//g' $page | grep -qE "(^|[^A-Za-z0-9_.])${name//./\\.}([^A-Za-z0-9_]|$)" ||
            echo "$page: setting $name is not documented"
    done | report
}

lint_manuals() {
    local page status=0
    for page in docs/*.[0-9]; do
        man -l --warnings=all -Tutf8 "$page" 2>&1 >/dev/null | sed "s|^|$page: |" | report || status=1
    done
    return $status
}

lint_shell() {
    ! command -v shellcheck >/dev/null || shellcheck -S warning scripts/*.sh
}

# Names that do not exist, imports nobody uses.
lint_python() {
    git ls-files '*.py' | xargs pyflakes3 | report
}

# The texts that faults are planted in are there.
lint_planted() {
    { tests/sim/plant.py --texts; tests/mutation/run.py --texts; } | report
}

lint_cppcheck() {
    cppcheck --quiet --std=c11 --language=c -j 2 --max-configs=1 --error-exitcode=1 --inline-suppr \
        --enable=warning,performance,portability -I. -D_GNU_SOURCE -DSPENDLOG_VERSION='""' \
        "${CPPCHECK_SUPPRESS[@]/#/--suppress=}" $(printf '%s\n' "${ours[@]}" | grep '\.c$')
}

# Minutes for all: by name only, `scripts/lint.sh tidy`.
lint_tidy() {
    printf '%s\n' "${ours[@]}" | grep '\.c$' |
        xargs -P 2 -I{} clang-tidy --quiet {} -- -std=c11 -I. -D_GNU_SOURCE -DSPENDLOG_VERSION='""' \
            -I"$(pg_config --includedir)" 2>/dev/null | report
}

# --- running them ---

# Passes lines on to the reader; fails if there were any.
report() {
    ! grep .
}

# Every fact and label is a field that the manual of mappings explains.
lint_fields() {
    local name status=0
    for name in $(sed -n 's/^\(FACT\|LABEL\)([A-Z0-9_]*, [^"]*"\([a-z0-9_]*\)".*/\2/p' core/facts.def core/labels.def); do
        grep -q "^| \`$name\`" docs/mappings.md || { echo "docs/mappings.md: no field $name"; status=1; }
    done
    return $status
}

# What keeps a statement from being sent to where the rows are: a LATERAL of a table, a subquery that takes some of its rows,
# or one that looks for them row by row.
lint_shapes() {
    {
        perl -0ne 's/"\s*"//g; print "$ARGV: LATERAL of a table: $1\n"
            while /LATERAL (\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*?FROM spendlog\.\w+)/g' store/*.c
        grep -nE 'ORDER BY [a-z_.]+ (DESC )?LIMIT 1\) ' store/*.c | grep -v '\$[0-9]' # of parameters
        grep -nE 'EXISTS \(SELECT FROM spendlog\.(spend_logs|stored_rows|counted_logs|excluded_rows|spend_adjustments)\b' store/*.c
    } | report
}

# docs/limits.md has every ceiling with its value; those that something from outside can meet have a test.
lint_limits() {
    local page=docs/limits.md test
    {
        diff <(grep -nE '^#define [A-Z0-9_]*_MAX(_BYTES)?\b' "${ours[@]}" /dev/null |
            sed -E 's/^([^:]+):[0-9]+:#define ([A-Z0-9_]+) */\1 \2 /; s| */\*.*||; s/ +$//' | sort) \
            <(sed -nE 's/^\| `([^`]+)` \| `([^`]+)` \| `([^`]*)` \|.*/\1 \2 \3/p' $page | sort) |
            sed -n "s|^< |$page lacks: |p; s|^> |$page has, the code has not: |p"
        sed -nE 's/^\| `([^`]+)` \| `([^`]+)` \| `[^`]*` \| [^|]* \| *\|$/\1 \2/p' $page |
            sed "s|^|$page: no test goes one beyond |"
        for test in $(sed -nE 's/^\|.*\| `([a-z][a-z_0-9]+)` \|$/\1/p' $page | sort -u); do
            grep -rqE "\\b$test\(|Row\(\"$test\"" tests || echo "$page: no test $test"
        done
    } | report
}

# Each trouble of docs/operations.md names the scenario that brings it about and walks the remedy.
lint_remedies() {
    local page=docs/operations.md row name
    sed -n '/^## Troubles/,/^## Roles/p' $page | grep '^| ' | tail -n +3 | while read -r row; do
        name=$(cut -d'|' -f2 <<<"$row" | grep -oE '\(`[^()]*`\)$|\(`[^()]*`\) *$' | grep -oE '[a-z_0-9]+')
        [ -n "$name" ] || echo "$page: no scenario: ${row:0:80}"
        for name in $name; do
            grep -rqE "^def $name\\(" tests/chaos tests/integration tests/security || echo "$page: no scenario $name"
        done
    done | report
}

checks=(format layers providers fakes circles foreign_headers banned whole clock places lengths invariants licence purpose english settings manuals fields limits remedies shapes planted shell python cppcheck)
failed=()
for check in "${@:-${checks[@]}}"; do
    "lint_$check" || failed+=("$check")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: ${failed[*]} found something" >&2
    exit 1
fi
echo "lint: ${#sources[@]} files, nothing found"
