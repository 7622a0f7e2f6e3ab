#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh TABLE FILE...: prints C that puts the files into the binary as `embedded_TABLE`.
set -eu
table=$1
shift
echo '#include "core/embed.h"'
i=0
for f in "$@"; do
    printf '__asm__(".section .rodata\\n.balign 16\\nembedded_%s_%d:\\n.incbin \\"%s\\"\\n.byte 0\\n.previous\\n");\n' \
        "$table" "$i" "$f"
    printf 'extern const char embedded_%s_%d[];\n' "$table" "$i"
    i=$((i + 1))
done
printf 'const struct embedded embedded_%s[] = {\n' "$table"
i=0
for f in "$@"; do
    printf '    {"%s", embedded_%s_%d, %d},\n' "${f##*/}" "$table" "$i" "$(wc -c <"$f")"
    i=$((i + 1))
done
printf '    {NULL, NULL, 0},\n};\n'
