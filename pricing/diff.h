/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `prices show` and `prices diff` print: the rates of one model, and what moved between two
 * cost maps or two configurations.
 */
#ifndef PRICING_DIFF_H
#define PRICING_DIFF_H

#include "pricing/book.h"

/* What became of the models and deployments from one book to the next, at whatever time a call
 * started. */
struct books_moves {
    size_t models; /* that the new book has today */
    size_t added, gone;
    size_t moved; /* a price of theirs by more than a tenth */
};
/* false: out of memory. */
bool books_compare(const struct book *old, const struct book *new, struct books_moves *moves);

typedef void price_line_fn(const char *text, void *context);

struct diff_counts {
    size_t moved, added, removed; /* price keys, those of new and gone models included */
    size_t large;                 /* moved by more than ten times */
};

/* Every rate of a map entry (by its name in any case) and of each deployment of that name, with its
 * source. false: there is none. */
bool prices_show(const struct book *book, struct slice model, bool json, price_line_fn *line,
                 void *context);

/* OLD and NEW are two cost maps, or two LiteLLM configurations, which are laid over `options`' cost
 * maps. One line per difference, in order of names: text, or {"model","key","old","new","change"}
 * with "large". ERR_CONFIG: a file cannot be loaded, or one is a map and the other is not. */
bool prices_diff(const struct book_options *options, const char *old_file, const char *new_file,
                 bool json, price_line_fn *line, void *context, struct diff_counts *counts,
                 struct err *err) MUST_CHECK;

#endif
