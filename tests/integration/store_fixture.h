/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database of its own per test program, on the server that PGHOST, PGPORT and PGUSER name (that
 * user may create databases and roles), and events to fill it with.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "store/pg.h"
#include "store/writer.h"

#define BASE_US INT64_C(1752566400000000) /* 2025-07-15 08:00 UTC */
#define BOOK_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Makes the database and migrates it; 0 on success (cmocka group setup and teardown). */
int database_create(void **state);
int database_drop(void **state);

/* How many days and levels have sums that are not what their rows come to; prints them. */
int sums_differing(void);

/* Of the test database, as the user of a role: "writer", "repricer", "reader"; "" = the owner of
 * all. */
const char *conninfo_of(const char *role);

/* As the owner. A statement that fails fails the test. */
void sql(const char *statement);
int64_t scalar(const char *query);
/* SQLSTATE of a statement run as a role; "00000" when it succeeds. */
const char *sqlstate_of(const char *role, const char *statement);

struct writer *writer_make(const char *application_name, unsigned lock_timeout_ms);
void partition_load(struct writer *writer, const char *topic, int partition,
                    struct partition_state *state);

struct sample {
    uint64_t identity;
    int64_t start_us;
    uint64_t content_hash;
    const char *model;
    enum time_source time_source;
};

/* One message of one record: a row, resp. something else. The batch's range of `state` moves on. */
void add_row(struct batch *batch, struct partition_state *state, const struct sample *sample);
void add_reject(struct batch *batch, struct partition_state *state, const char *detail);
void add_skip(struct batch *batch, struct partition_state *state);
/* Rows of identities first, first + 1, ..., one millisecond after another from BASE_US. */
void add_rows(struct batch *batch, struct partition_state *state, uint64_t first, size_t count);

void commit_or_fail(struct writer *writer, struct batch *batch);

#endif
