/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many rows say alike stands once, in two dictionaries: how a call was made (shared_calls) and
 * who made it (shared_callers). This is the side of the batch: the contents that its rows need,
 * each once. store/writer_words.c writes them; docs/storage.md has the whole of it.
 *
 * A content is its columns' texts as COPY has them: a 32-bit length (-1 = NULL) and the bytes. Its
 * number is 64 bits of PostgreSQL's own hash of the texts, joined by line ends, so that SQL can
 * make it too; where two contents meet, the writer gives the later one another number.
 */
#ifndef STORE_ROW_WORDS_H
#define STORE_ROW_WORDS_H

#include "core/buf.h"
#include "core/event.h"

enum words { WORDS_CALL, WORDS_CALLER, WORDS_COUNT };

#define WORDS_COLUMNS_MAX 11
#define WORDS_BYTES_MAX 2048 /* of one content: a row that says more keeps it */
#define WORDS_BATCH_BYTES_MAX (16u << 20)

struct words_info {
    const char *table, *number; /* shared_calls, call_no */
    char alias;                 /* in the query behind spend_logs */
    unsigned column_count;
    const char *column[WORDS_COLUMNS_MAX], *type[WORDS_COLUMNS_MAX];
};
extern const struct words_info words_info[WORDS_COUNT];

struct words_entry {
    uint8_t hash[16]; /* XXH3-128 of the content */
    int64_t number;
    uint64_t digest;      /* what its texts are in the digest of a row */
    size_t offset, bytes; /* of the content */
    bool wanted;          /* by the rows being written; from the writer */
};

/* New contents are paid from a budget that rows fill: an attribute that is different in each row
 * stays in the rows, whatever it was taken for. */
struct words_table {
    struct words_entry *entry;
    size_t count, capacity;
    uint32_t *slot; /* 1 + index of an entry; 0 = free */
    size_t slots;
    uint64_t *seen; /* contents met lately, by their hash: they are not new */
    unsigned budget;
};

struct row_words {
    struct buf content;
    struct words_table table[WORDS_COUNT];
};

/* Aborts when there is no memory: once per lane, at start. */
void row_words_init(struct row_words *words);
void row_words_reset(struct row_words *words);
void row_words_free(struct row_words *words);

/* The place of a content in its table, added on first use. false: it is to stay in the row. */
bool row_words_place(struct row_words *words, enum words which, struct slice content,
                     unsigned *place) MUST_CHECK;
struct slice row_words_content(const struct row_words *words, const struct words_entry *entry);

/* row_digest_labels() of the rows that have these contents. */
uint64_t row_words_digest(const struct row_words *words, const unsigned place[WORDS_COUNT]);

/* The n-th text of a content; false: NULL. */
bool words_text(struct slice content, unsigned n, struct slice *text);

/* The expression that shows a column of a row of either form: "coalesce(s.model, c.model)", or
 * "s.spend". Aliases as in spend_logs: s, c, k. */
void row_column_show(struct buf *sql, const char *column);
/* "FROM spendlog.stored_rows s LEFT JOIN ..." in two parts: what comes after the table's name may
 * be TABLESAMPLE. */
extern const char row_words_joins[];

/* Tests see numbers that meet. */
extern uint64_t words_number_mask;
/* One less than a writer remembers entries, twice: a power of two. */
extern size_t words_known_mask;

#endif
