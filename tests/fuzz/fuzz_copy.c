/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/*
 * Random events: what row_encode() writes, row_facts() reads back, and amounts and texts are where
 * the column list says. The row is exactly as long as its fields.
 */
#include "tests/harness/copy_row.h"
#include "tests/harness/random_event.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct chance chance = {data, data + bytes, 1};
    struct row_field field[COPY_FIELDS_MAX];
    struct event event;
    struct charge charge;
    struct arena batch;
    struct buf rows;
    struct err err = {0};

    arena_init(&batch, 1 << 20);
    buf_init(&rows, 1 << 20);
    chance_event(&chance, INT64_C(1795478400000000), &batch, &event, &charge);
    const struct row_place place = {7, chance_count(&chance), chance_below(&chance, 1000)};
    bool ok = row_encode(&rows, &event, &charge, &place, &err);
    const char *p = rows.p;
    ok = ok && copy_split(&p, rows.p + rows.bytes, field) > 0 && p == rows.p + rows.bytes &&
         copy_same_row(field, &event, &charge, &batch, &err);
    if (!ok) {
        fprintf(stderr, "%s\n", err.text[0] ? err.text : "the row is not as long as its fields");
        abort();
    }
    buf_free(&rows);
    arena_free(&batch);
    return 0;
}
