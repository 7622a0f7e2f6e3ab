/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that a page about a period shows, read in one snapshot: the report that was asked for, spend
 * over time by model and by team, what moved against the period before, meters, and what is not
 * settled.
 */
#ifndef STORE_REPORT_PAGE_H
#define STORE_REPORT_PAGE_H

#include "store/report.h"

/* Texts as the database writes them; empty: not known. */
struct report_meter {
    struct slice name, part_of, quantity, amount, million; /* US dollars for a million of it */
};

struct report_open_item {
    struct slice what, provider, model, why, calls, at_risk, age_days;
};

struct report_page;

/* As report_run(); `options` names what the table shows. */
bool report_page_run(const char *conninfo, const struct report_options *options,
                     struct report_page **page, struct err *err) MUST_CHECK;
void report_page_free(struct report_page *page);

const struct report_answer *report_page_table(const struct report_page *page);
/* By hour or day, and model resp. team. */
const struct report_answer *report_page_models(const struct report_page *page);
const struct report_answer *report_page_teams(const struct report_page *page);
/* By model and team, gone ones too; NULL: there is no period before. */
const struct report_answer *report_page_moved(const struct report_page *page);
size_t report_page_meters(const struct report_page *page);
struct report_meter report_page_meter(const struct report_page *page, size_t number);
/* The greatest first, cut to some; `all` of them. */
size_t report_page_open_items(const struct report_page *page, int64_t *all);
struct report_open_item report_page_open_item(const struct report_page *page, size_t number);

#endif
