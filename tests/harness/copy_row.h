/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row in COPY's binary form, taken apart again and compared with the event it was made of
 * (PostgreSQL manual, COPY, "Binary Format"). `where` of the first difference goes to `err`.
 */
#ifndef TESTS_COPY_ROW_H
#define TESTS_COPY_ROW_H

#include "core/charge.h"
#include "store/numeric.h"
#include "store/row.h"
#include "store/row_read.h"

#include <string.h>

#define COPY_FIELDS_MAX (FACT_COUNT + LABEL_COUNT + 32)

static inline uint32_t copy_be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* Fields of the row at *p, which moves behind it; -1 when it is cut short, 0 at the end's mark. */
static inline int copy_split(const char **p, const char *end, struct row_field *field)
{
    if (end - *p < 2)
        return -1;
    int count = (unsigned char)(*p)[0] << 8 | (unsigned char)(*p)[1];
    *p += 2;
    if (count == 0xffff)
        return 0;
    for (int i = 0; i < count; i++) {
        if (end - *p < 4 || i >= COPY_FIELDS_MAX)
            return -1;
        field[i] = (struct row_field){*p + 4, (int)copy_be32(*p)};
        *p += 4;
        if (field[i].bytes > end - *p)
            return -1;
        *p += field[i].bytes > 0 ? field[i].bytes : 0;
    }
    return count;
}

/* Where a column is in row_columns(), or -1. */
static inline int copy_column(const char *name)
{
    struct buf sql;
    int at = -1, i = 0;
    buf_init(&sql, 1 << 16);
    row_columns(&sql);
    buf_add_char(&sql, '\0');
    for (char *rest = sql.p, *word; (word = strsep(&rest, ",")) != NULL; i++)
        if (strcmp(word + strspn(word, " "), name) == 0)
            at = i;
    buf_free(&sql);
    return at;
}

static inline bool copy_same_value(enum field_kind kind, const union value *a, const union value *b)
{
    switch (kind) {
    case KIND_TEXT:
        return slice_eq(a->s, b->s);
    case KIND_DECIMAL:
        return decimal_cmp(a->d, b->d) == 0 && a->d->scale == b->d->scale;
    default:
        return a->i == b->i;
    }
}

/* The facts of a row, read as repricing reads them, are those of the event. */
static inline bool copy_same_facts(const struct row_field *row, const struct facts *want,
                                   struct arena *call, struct err *err)
{
    struct row_field field[FACT_COUNT + 1];
    struct facts got;
    int count = 0;
    for (int f = 0; f < FACT_COUNT; f++)
        if (fact_info[f].store == STORE_COLUMN)
            field[count++] = row[copy_column(row_fact_column((enum fact)f))];
    field[count] = row[copy_column("usage")];
    if (!row_facts(field, call, &got, err))
        return false;
    for (int f = 0; f < FACT_COUNT; f++) {
        enum fact fact = (enum fact)f;
        if (facts_has(&got, fact) != facts_has(want, fact) ||
            (facts_has(want, fact) && !copy_same_value(fact_info[f].kind, &got.v[f], &want->v[f])))
            return err_set(err, ERR_INPUT, "fact %s comes back as another", fact_info[f].name);
    }
    return true;
}

static inline bool copy_same_money(const struct row_field *row, const char *column, bool present,
                                   struct money want, struct err *err)
{
    const struct row_field *field = &row[copy_column(column)];
    struct decimal got, decimal = money_decimal(want);
    if (present ? field->bytes >= 0 && numeric_decode(field->p, (size_t)field->bytes, &got) &&
                      decimal_cmp(&got, &decimal) == 0
                : field->bytes < 0)
        return true;
    return err_set(err, ERR_INPUT, "%s comes back as another amount", column);
}

static inline bool copy_same_text(const struct row_field *row, const char *column,
                                  struct slice want, struct err *err)
{
    const struct row_field *field = &row[copy_column(column)];
    if (field->bytes >= 0 && slice_eq((struct slice){field->p, (size_t)field->bytes}, want))
        return true;
    return err_set(err, ERR_INPUT, "%s comes back as another text", column);
}

static inline bool copy_same_labels(const struct row_field *row, const struct labels *want,
                                    struct err *err)
{
    for (int l = 0; l < LABEL_COUNT; l++)
        if (label_info[l].kind == KIND_TEXT && label_info[l].column[0] &&
            !copy_same_text(row, label_info[l].column, labels_text(want, (enum label)l), err))
            return false;
    return true;
}

static inline bool copy_same_flags(const struct row_field *row, unsigned want, struct err *err)
{
    const struct row_field *field = &row[copy_column("flags")];
    if (field->bytes == 4 && copy_be32(field->p) == want)
        return true;
    return err_set(err, ERR_INPUT, "flags come back as others");
}

/* Everything of a row but what the writer patches into it. */
static inline bool copy_same_row(const struct row_field *row, const struct event *event,
                                 const struct charge *charge, struct arena *call, struct err *err)
{
    static const char *const side[] = {"input_cost", "output_cost", "other_cost"};
    struct slice identity = {(const char *)event->identity, sizeof(event->identity)};
    for (int i = 0; i < 3; i++)
        if (!copy_same_money(row, side[i], charge->has_spend, charge->side[i], err))
            return false;
    return copy_same_money(row, "spend", charge->has_spend, charge->spend, err) &&
           copy_same_text(row, "identity", identity, err) &&
           copy_same_text(row, "mapping", slice_of(event->mapping), err) &&
           copy_same_text(row, "pricing_status", slice_of(charge_status_name[charge->status]),
                          err) &&
           copy_same_flags(row, event->flags | charge->flags, err) &&
           copy_same_labels(row, &event->labels, err) &&
           copy_same_facts(row, &event->facts, call, err);
}

#endif
