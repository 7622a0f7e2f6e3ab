/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a batch into the dictionaries, in its own transaction. Two statements for each
 * dictionary that lacks some: add them, where a number is there already doing nothing; then see, in
 * a newer snapshot, which numbers stand for something else. Those contents take the next number,
 * and once more. In the usual batch nothing is lacking and nothing is sent.
 *
 * Entries are added in the order of their numbers, the calls' before the callers', both before the
 * rows: two members that lack the same ones wait for each other, never in a circle.
 */
#include "store/writer_impl.h"

#include "core/log.h"
#include "core/must.h"

#include <stdlib.h>

#define NUMBER_TRIES_MAX 64 /* contents that meet at one number */

/* --- what is known -------------------------------------------------------------------------- */

size_t words_known_mask = (1u << 15) - 1;

bool words_known_init(struct words_known *known)
{
    for (int t = 0; t < WORDS_COUNT; t++)
        known->slot[t] = calloc(WORDS_KNOWN_SLOTS, sizeof(*known->slot[t]));
    return known->slot[WORDS_CALL] && known->slot[WORDS_CALLER];
}

void words_known_free(struct words_known *known)
{
    for (int t = 0; t < WORDS_COUNT; t++)
        free(known->slot[t]);
}

static void table_clear(struct words_known *known, int t)
{
    if (known->count[t])
        memset(known->slot[t], 0, WORDS_KNOWN_SLOTS * sizeof(*known->slot[t]));
    known->count[t] = 0;
}

void words_known_forget(struct words_known *known)
{
    for (int t = 0; t < WORDS_COUNT; t++)
        table_clear(known, t);
    known->batch_id = known->written_at = 0;
}

/* The entry of a content, or the free slot where it would stand. */
static struct words_known_entry *probe(const struct words_known *known, int t,
                                       const uint8_t hash[16])
{
    uint64_t i;
    memcpy(&i, hash, sizeof(i));
    MUST(known->count[t] <= WORDS_KNOWN_SLOTS / 2, t, known->count[t]);
    for (;; i++) {
        struct words_known_entry *entry = &known->slot[t][i & words_known_mask];
        if (!entry->used || memcmp(entry->hash, hash, 16) == 0)
            return entry;
    }
}

void words_learn(struct writer *w, const struct batch *batch)
{
    struct words_known *known = &w->known;
    bool any = false;
    if (w->bisect) /* what was wanted last may have been taken back */
        return;
    for (int t = 0; t < WORDS_COUNT; t++) {
        const struct words_table *table = &batch->words.table[t];
        for (size_t i = 0; i < table->count; i++) {
            if (!table->entry[i].wanted)
                continue;
            if (known->count[t] == WORDS_KNOWN_SLOTS / 2)
                table_clear(known, t);
            struct words_known_entry *entry = probe(known, t, table->entry[i].hash);
            known->count[t] += !entry->used;
            memcpy(entry->hash, table->entry[i].hash, 16);
            entry->number = table->entry[i].number;
            entry->used = any = true;
        }
    }
    if (any) { /* so the batch has rows, and a record */
        MUST(w->batch_id > 0, w->batch_id);
        known->batch_id = w->batch_id;
        known->written_at = w->written_at;
    }
}

/* --- what is lacking ------------------------------------------------------------------------ */

/* By number: the order in which they are added. */
static int by_number(const void *a, const void *b)
{
    const struct words_entry *x = *(struct words_entry *const *)a,
                             *y = *(struct words_entry *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void want(struct batch *batch, size_t from, size_t to)
{
    MUST(from <= to && to <= batch->row_count, from, to, batch->row_count);
    for (int t = 0; t < WORDS_COUNT; t++)
        for (size_t i = 0; i < batch->words.table[t].count; i++)
            batch->words.table[t].entry[i].wanted = false;
    for (size_t i = from; i < to; i++) {
        const struct batch_row *row = &batch->rows[i];
        if (row->fate != ROW_NEW || !row->lean)
            continue;
        for (int t = 0; t < WORDS_COUNT; t++) {
            MUST(row->words[t] < batch->words.table[t].count, t, row->words[t]);
            batch->words.table[t].entry[row->words[t]].wanted = true;
        }
    }
}

/* The wanted ones that are not known, into `lacking`; the others get the number that they have. */
static size_t lacking_of(struct writer *w, struct words_table *table, int t,
                         struct words_entry **lacking)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct words_entry *entry = &table->entry[i];
        if (!entry->wanted)
            continue;
        const struct words_known_entry *known = probe(&w->known, t, entry->hash);
        if (known->used)
            entry->number = known->number;
        else
            lacking[count++] = entry;
    }
    MUST(count <= table->count, count, table->count);
    return count;
}

/* --- statements ----------------------------------------------------------------------------- */

#define CALL_COLUMNS                                                                               \
    "provider, model, model_requested, model_group, model_id, call_type, status, service_tier,"    \
    " mapping, time_source, usage_text"
#define CALLER_COLUMNS                                                                             \
    "api_key, api_key_alias, user_id, team_id, team_alias, organization_id, request_tags"
#define CALL_GIVEN                                                                                 \
    " FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"       \
    "  $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[]) WITH ORDINALITY" \
    " AS g (call_no, " CALL_COLUMNS ", place)"
#define CALLER_GIVEN                                                                               \
    " FROM (SELECT caller_no, api_key, api_key_alias, user_id, team_id, team_alias,"               \
    "  organization_id, tags::text[] AS request_tags, place"                                       \
    "  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"      \
    "   $7::text[], $8::text[]) WITH ORDINALITY AS u (caller_no, api_key, api_key_alias, user_id," \
    "   team_id, team_alias, organization_id, tags, place)) g"

static const struct pg_statement words_add[WORDS_COUNT] = {
    [WORDS_CALL] = {STATEMENT_WORDS_ADD + WORDS_CALL,
                    "INSERT INTO spendlog.shared_calls (call_no, " CALL_COLUMNS ")"
                    " SELECT call_no, " CALL_COLUMNS CALL_GIVEN " ORDER BY call_no"
                    " ON CONFLICT ON CONSTRAINT shared_calls_pkey DO NOTHING"},
    [WORDS_CALLER] = {STATEMENT_WORDS_ADD + WORDS_CALLER,
                      "INSERT INTO spendlog.shared_callers (caller_no, " CALLER_COLUMNS ")"
                      " SELECT caller_no, " CALLER_COLUMNS CALLER_GIVEN " ORDER BY caller_no"
                      " ON CONFLICT ON CONSTRAINT shared_callers_pkey DO NOTHING"},
};

/* Places, from 1, of those whose number has another content. */
static const struct pg_statement words_apart[WORDS_COUNT] = {
    [WORDS_CALL] = {STATEMENT_WORDS_APART + WORDS_CALL,
                    "SELECT g.place" CALL_GIVEN
                    " LEFT JOIN spendlog.shared_calls d ON d.call_no = g.call_no"
                    " WHERE d.call_no IS NULL OR (d.provider, d.model, d.model_requested,"
                    "  d.model_group, d.model_id, d.call_type, d.status, d.service_tier, d.mapping,"
                    "  d.time_source, d.usage_text) IS DISTINCT FROM (g.provider, g.model,"
                    "  g.model_requested, g.model_group, g.model_id, g.call_type, g.status,"
                    "  g.service_tier, g.mapping, g.time_source, g.usage_text)"
                    " ORDER BY g.place"},
    [WORDS_CALLER] = {STATEMENT_WORDS_APART + WORDS_CALLER,
                      "SELECT g.place" CALLER_GIVEN
                      " LEFT JOIN spendlog.shared_callers d ON d.caller_no = g.caller_no"
                      " WHERE d.caller_no IS NULL OR (d.api_key, d.api_key_alias, d.user_id,"
                      "  d.team_id, d.team_alias, d.organization_id, d.request_tags)"
                      "  IS DISTINCT FROM (g.api_key, g.api_key_alias, g.user_id, g.team_id,"
                      "  g.team_alias, g.organization_id, g.request_tags)"
                      " ORDER BY g.place"},
};

static void args_add_entries(struct pg_args *args, const struct row_words *words, int t,
                             struct words_entry *const *entry, size_t count)
{
    MUST(count > 0);
    pg_args_reset(args);
    pg_array_open(args, PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int8(args, entry[i]->number);
    pg_array_close(args);
    for (unsigned n = 0; n < words_info[t].column_count; n++) {
        pg_array_open(args, PG_TEXT, count);
        for (size_t i = 0; i < count; i++) {
            struct slice text;
            if (words_text(row_words_content(words, entry[i]), n, &text))
                pg_array_bytes(args, text);
            else
                pg_array_null(args);
        }
        pg_array_close(args);
    }
}

/* Adds the entries and keeps in `entry` those whose number is another's. */
static bool add_once(struct writer *w, const struct row_words *words, int t,
                     struct words_entry **entry, size_t *count, struct err *err)
{
    qsort(entry, *count, sizeof(struct words_entry *), by_number);
    args_add_entries(&w->args, words, t, entry, *count);
    if (!writer_run(w, &words_add[t], err))
        return false;
    PGresult *res = pg_run(&w->pg, &words_apart[t], &w->args, err);
    if (!res)
        return false;
    size_t given = *count;
    *count = (size_t)PQntuples(res);
    MUST(*count <= given, *count, given);
    for (size_t i = 0; i < *count; i++) {
        size_t place = (size_t)pg_int(res, (int)i, 0);
        MUST(place > i && place <= given, place, i, given); /* ascending: none is lost */
        entry[i] = entry[place - 1];
    }
    PQclear(res);
    return true;
}

static bool table_write(struct writer *w, struct batch *batch, int t, struct err *err)
{
    struct words_table *table = &batch->words.table[t];
    struct words_entry **lacking = malloc((table->count + 1) * sizeof(struct words_entry *));
    if (!lacking)
        return err_set(err, ERR_FATAL, "out of memory");
    size_t count = lacking_of(w, table, t, lacking);
    bool ok = true;
    for (int tries = 0; ok && count > 0; tries++) {
        ok = add_once(w, &batch->words, t, lacking, &count, err);
        for (size_t i = 0; ok && i < count; i++)
            lacking[i]->number = (int64_t)((uint64_t)lacking[i]->number + 1);
        if (ok && count > 0 && tries == NUMBER_TRIES_MAX)
            ok =
                err_set(err, ERR_FATAL, "%s: no number is free for a content", words_info[t].table);
        if (ok && count > 0)
            log_info("%s: %zu contents meet others at their number and take the next",
                     words_info[t].table, count);
    }
    free(lacking);
    return ok;
}

bool words_write(struct writer *w, struct batch *batch, size_t from, size_t to, struct err *err)
{
    MUST(pg_inside(&w->pg) && w->copying, from, to);
    want(batch, from, to);
    return table_write(w, batch, WORDS_CALL, err) && table_write(w, batch, WORDS_CALLER, err);
}
