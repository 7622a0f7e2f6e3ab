/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that answers by rule, in place of the connection half of libpq: results are built by
 * libpq itself. What no rule answers gets one row of numbers. Any statement can be made to fail.
 */
#ifndef TESTS_FAKES_LIBPQ_H
#define TESTS_FAKES_LIBPQ_H

#include <libpq-fe.h>
#include <stdbool.h>

/* The first rule whose text is in the statement answers it. */
struct fake_answer {
    const char *part;
    const char *const *row; /* `columns` texts a row, NULL = NULL; "#5" is the number 5 as int8 */
    int columns, rows;
};

struct fake_libpq {
    const struct fake_answer *answer; /* ends with part NULL; may be NULL */
    unsigned fail_at;                 /* the statement of that number fails, from 1; 0: none */
    const char *sqlstate;             /* with it; "" = the connection is lost */
    bool refuses;                     /* no connection can be made */
    unsigned puts_end; /* COPY data and its end find no memory from that call on; 0: never */
    /* what was asked */
    unsigned statements, connects, open, puts;
    size_t copied; /* bytes of COPY */
    char last[512];
};

extern struct fake_libpq fake_libpq;

void fake_libpq_reset(void);

#endif
