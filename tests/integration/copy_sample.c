/* SPDX-License-Identifier: Apache-2.0 */
/* links: store */
/*
 * A sample of random events through PostgreSQL itself.
 *
 *     copy_sample columns             the column list
 *     copy_sample encode SEED COUNT   a binary COPY of so many rows, all on 2026-11-24
 *     copy_sample check SEED COUNT    reads a binary COPY of the same columns, ordered by
 * kafka_offset
 */
#include "tests/harness/copy_row.h"
#include "tests/harness/random_event.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_US INT64_C(1795478400000000) /* 2026-11-24 */
#define HEAD_BYTES 19
#define COPY_BYTES_MAX (256u << 20)

static const char copy_head[HEAD_BYTES] = "PGCOPY\n\377\r\n\0"; /* then flags, extension */

static bool encode(struct buf *rows, uint64_t seed, long count, struct err *err)
{
    buf_add(rows, (struct slice){copy_head, HEAD_BYTES});
    for (long i = 0; i < count; i++) {
        struct chance chance = {NULL, NULL, seed * 1000003 + (uint64_t)i};
        struct arena batch;
        struct event event;
        struct charge charge;
        arena_init(&batch, 1 << 20);
        chance_event(&chance, DAY_US, &batch, &event, &charge);
        size_t start = rows->bytes;
        bool ok = row_encode(rows, &event, &charge, &(struct row_place){1, i, 0}, err);
        if (ok)
            row_patch(rows->p + start, 1, 1);
        arena_free(&batch);
        if (!ok)
            return false;
    }
    buf_add(rows, (struct slice){"\377\377", 2});
    return buf_ok(rows);
}

static bool check_one(const struct row_field *field, uint64_t seed, long i, struct err *err)
{
    struct chance chance = {NULL, NULL, seed * 1000003 + (uint64_t)i};
    struct arena batch;
    struct event event;
    struct charge charge;
    arena_init(&batch, 1 << 20);
    chance_event(&chance, DAY_US, &batch, &event, &charge);
    bool ok = copy_same_row(field, &event, &charge, &batch, err);
    arena_free(&batch);
    return ok ? true : err_prefix(err, "row %ld", i);
}

static bool check(const struct buf *copy, uint64_t seed, long count, struct err *err)
{
    struct row_field field[COPY_FIELDS_MAX];
    const char *p = copy->p + HEAD_BYTES, *end = copy->p + copy->bytes;
    if (copy->bytes < HEAD_BYTES || memcmp(copy->p, copy_head, 11) != 0)
        return err_set(err, ERR_INPUT, "no binary COPY");
    for (long i = 0; i < count; i++) {
        int fields = copy_split(&p, end, field);
        if (fields <= 0)
            return err_set(err, ERR_INPUT, "only %ld rows", i);
        if (!check_one(field, seed, i, err))
            return false;
    }
    return copy_split(&p, end, field) == 0 ? true : err_set(err, ERR_INPUT, "too many rows");
}

int main(int argc, char **argv)
{
    struct buf copy;
    struct err err = {0};
    bool ok = argc == 2 || argc == 4;
    uint64_t seed = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
    long count = argc == 4 ? strtol(argv[3], NULL, 10) : 0;

    buf_init(&copy, COPY_BYTES_MAX);
    if (argc == 2) {
        row_columns(&copy);
    } else if (ok && strcmp(argv[1], "encode") == 0) {
        ok = encode(&copy, seed, count, &err);
    } else if (ok) {
        char *room;
        size_t got = 1;
        while (got && (room = buf_reserve(&copy, 1 << 16)) != NULL)
            copy.bytes += got = fread(room, 1, 1 << 16, stdin);
        ok = check(&copy, seed, count, &err);
        copy.bytes = 0;
    }
    fwrite(copy.p, 1, copy.bytes, stdout);
    if (!ok)
        fprintf(stderr, "copy_sample: %s\n", err.text[0] ? err.text : "see the head of its source");
    buf_free(&copy);
    return ok ? 0 : 1;
}
