/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usage` is one flat JSON object of numbers, texts and booleans, in the spelling of PostgreSQL's
 * jsonb_out. It is read here and not by a JSON library because a quantity has to keep its digits:
 * numeric 0.1 must come back as the decimal 0.1, whatever number of digits it has.
 */
#include "store/row_read.h"

#include "store/numeric.h"
#include "store/row.h"

#include <assert.h>
#include <stdlib.h>

int row_facts_columns(struct buf *sql)
{
    int count = 0;
    for (int f = 0; f < FACT_COUNT; f++)
        if (fact_info[f].store == STORE_COLUMN) {
            buf_printf(sql, "%s, ", row_fact_column((enum fact)f));
            count++;
        }
    buf_add_text(sql, "usage");
    return count + 1;
}

static bool bad(struct err *err, const char *name)
{
    return err_set(err, ERR_INPUT, "stored %s cannot be read", name);
}

static bool set_decimal(struct facts *facts, enum fact fact, const struct decimal *value,
                        struct arena *call)
{
    struct decimal *kept = arena_alloc(call, sizeof(*kept));
    if (!kept)
        return false;
    *kept = *value;
    facts_set_decimal(facts, fact, kept);
    return true;
}

static int64_t int_of(const struct row_field *field)
{
    uint64_t v = 0;
    for (int i = 0; i < field->bytes; i++)
        v = v << 8 | (unsigned char)field->p[i];
    return (int64_t)v;
}

static bool read_column(const struct row_field *field, enum fact fact, struct arena *call,
                        struct facts *facts)
{
    struct decimal d;
    switch (fact_info[fact].kind) {
    case KIND_TEXT:
        facts_set_text(facts, fact, (struct slice){field->p, (size_t)field->bytes});
        return true;
    case KIND_COUNT:
        facts_set_int(facts, fact, int_of(field));
        return field->bytes == 8;
    case KIND_BOOL:
        facts_set_int(facts, fact, int_of(field));
        return field->bytes == 1;
    case KIND_TIME:
        facts_set_int(facts, fact, int_of(field) + PG_EPOCH_US);
        return field->bytes == 8;
    case KIND_DECIMAL:
        return numeric_decode(field->p, (size_t)field->bytes, &d) &&
               set_decimal(facts, fact, &d, call);
    default:
        return false; /* no fact is a list or an object */
    }
}

/* --- usage ---------------------------------------------------------------------------------- */

struct scan {
    const char *p, *end;
    struct arena *call;
};

static bool take(struct scan *scan, char c)
{
    while (scan->p < scan->end && *scan->p == ' ')
        scan->p++;
    if (scan->p == scan->end || *scan->p != c)
        return false;
    scan->p++;
    return true;
}

/* \u0001 to \u009f, all that is ever escaped by number. */
static bool unescape_number(const char *p, const char *end, char **to)
{
    char hex[3] = {0}, *rest;
    if (end - p < 5 || memcmp(p, "u00", 3) != 0)
        return false;
    memcpy(hex, p + 3, 2);
    unsigned long c = strtoul(hex, &rest, 16);
    if (*rest != '\0' || c == 0 || c > 0x9f)
        return false;
    if (c >= 0x80)
        *(*to)++ = (char)0xc2; /* their first byte in UTF-8 */
    *(*to)++ = (char)c;
    return true;
}

/* jsonb_out escapes ", \ and control characters below blank; row_encode() DEL and C1 too. All else
 * stands as it is, in UTF-8. */
static bool unescape(const char **p, const char *end, char **to)
{
    static const char from[] = "bfnrt\"\\/", into[] = "\b\f\n\r\t\"\\/";
    if (*p == end)
        return false;
    const char *known = memchr(from, **p, sizeof(from) - 1);
    if (known)
        *(*to)++ = into[known - from];
    else if (!unescape_number(*p, end, to))
        return false;
    *p += known ? 1 : 5;
    return true;
}

static bool take_text(struct scan *scan, struct slice *out)
{
    if (!take(scan, '"'))
        return false;
    const char *start = scan->p;
    bool escaped = false;
    for (; scan->p < scan->end && *scan->p != '"'; scan->p++)
        if (*scan->p == '\\') {
            escaped = true;
            scan->p++;
        }
    if (scan->p >= scan->end)
        return false;
    const char *end = scan->p++;
    *out = (struct slice){start, (size_t)(end - start)};
    if (!escaped)
        return true;

    char *text = arena_alloc(scan->call, out->bytes), *to = text;
    for (const char *p = start; text && p < end;) {
        if (*p != '\\')
            *to++ = *p++;
        else if (p++, !unescape(&p, end, &to))
            return false;
    }
    *out = (struct slice){text, (size_t)(to - text)};
    return text != NULL;
}

static struct slice take_word(struct scan *scan)
{
    while (scan->p < scan->end && *scan->p == ' ')
        scan->p++;
    const char *start = scan->p;
    while (scan->p < scan->end && *scan->p != ',' && *scan->p != '}')
        scan->p++;
    return (struct slice){start, (size_t)(scan->p - start)};
}

static bool take_value(struct scan *scan, enum fact fact, struct facts *facts)
{
    struct slice text;
    struct decimal d;
    enum field_kind kind = fact_info[fact].kind;
    if (kind == KIND_TEXT) {
        if (!take_text(scan, &text))
            return false;
        facts_set_text(facts, fact, text);
        return true;
    }
    text = take_word(scan);
    if (kind == KIND_BOOL) {
        facts_set_int(facts, fact, slice_is(text, "true"));
        return slice_is(text, "true") || slice_is(text, "false");
    }
    if (!decimal_parse(text, &d, NULL))
        return false;
    if (kind == KIND_DECIMAL)
        return set_decimal(facts, fact, &d, scan->call);
    facts_set_int(facts, fact, (int64_t)d.coef);
    return kind == KIND_COUNT && d.scale == 0 && !d.negative && d.coef <= INT64_MAX;
}

static bool read_usage(struct slice json, struct arena *call, struct facts *facts, struct err *err)
{
    struct scan scan = {json.p, json.p + json.bytes, call};
    struct slice name;
    if (!take(&scan, '{'))
        return bad(err, "usage");
    do {
        if (!take_text(&scan, &name) || !take(&scan, ':'))
            return bad(err, "usage");
        enum fact fact = fact_find(name);
        if (fact == FACT_COUNT || fact_info[fact].store != STORE_USAGE)
            return err_set(err, ERR_INPUT, "stored usage holds \"" SLICE_FMT "\", no known fact",
                           SLICE_ARG(name));
        if (!take_value(&scan, fact, facts))
            return bad(err, fact_info[fact].name);
    } while (take(&scan, ','));
    return take(&scan, '}') ? true : bad(err, "usage");
}

/* --- a row ---------------------------------------------------------------------------------- */

/* As text, or as jsonb has it in binary, after its version. */
bool row_usage_add(const struct row_field *field, struct arena *call, struct facts *facts,
                   struct err *err)
{
    if (field->bytes < 0)
        return true;
    bool jsonb = field->bytes > 0 && field->p[0] == 1;
    return read_usage((struct slice){field->p + jsonb, (size_t)field->bytes - jsonb}, call, facts,
                      err);
}

bool row_facts(const struct row_field *field, struct arena *call, struct facts *facts,
               struct err *err)
{
    memset(facts->present, 0, sizeof(facts->present));
    for (int f = 0; f < FACT_COUNT; f++) {
        if (fact_info[f].store != STORE_COLUMN)
            continue;
        if (field->bytes >= 0 && !read_column(field, (enum fact)f, call, facts))
            return bad(err, fact_info[f].name);
        field++;
    }
    return row_usage_add(field, call, facts, err);
}

bool row_facts_of_result(const PGresult *res, int row, int first, struct arena *call,
                         struct facts *facts, struct err *err)
{
    struct row_field field[FACT_COUNT + 1];
    int count = 0;
    for (int f = 0; f <= FACT_COUNT; f++) {
        if (f < FACT_COUNT && fact_info[f].store != STORE_COLUMN)
            continue;
        int column = first + count;
        field[count++] =
            (struct row_field){PQgetvalue(res, row, column),
                               pg_null(res, row, column) ? -1 : PQgetlength(res, row, column)};
    }
    return row_facts(field, call, facts, err);
}
