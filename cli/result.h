/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Result lines: one JSON object per record, members and their order as docs/spendlog.1 promises.
 * Numbers are plain exact decimals without exponent.
 */
#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include "cli/input.h"
#include "core/buf.h"
#include "core/charge.h"
#include "core/event.h"
#include "core/sum.h"
#include "ingest/mapping.h"

#include <stdio.h>

/* Of a line; texts from outside are as long as whoever wrote them liked. */
#define RESULT_LINE_MAX_BYTES (32u << 20)

/* Closes the object, prints its line whole, and empties it. */
void result_print(struct buf *line);

/* `,"name":` and a value; the line is started with buf_add_char(line, '{'). */
void result_text(struct buf *line, const char *name, struct slice text);
void result_null(struct buf *line, const char *name);
void result_decimal(struct buf *line, const char *name, const struct decimal *d);
void result_money(struct buf *line, const char *name, struct money m);
void result_sum(struct buf *line, const char *name, struct sum sum);
/* Digits as they are; no text gives null. */
void result_number(struct buf *line, const char *name, struct slice digits);
void result_int(struct buf *line, const char *name, int64_t v);
void result_bool(struct buf *line, const char *name, bool v);
void result_time(struct buf *line, const char *name, int64_t us);

/* `{"file":…,"line":…,"index":…` ; file only when several were given, index < 0: left out. */
void result_open(struct buf *line, const struct input_message *message, bool with_file,
                 int64_t index);

/* What follows in a priced line, without the closing brace. */
void result_charge(struct buf *line, const struct event *event, const struct charge *charge,
                   bool with_items);
void result_items(struct buf *line, const struct charge *charge);

/* What follows in a skipped or rejected line, without the closing brace. */
void result_no_event(struct buf *line, const struct record *record);

/* All canonical fields that are present, as `spendlog map` prints them. */
void result_event(struct buf *line, const struct event *event);

#endif
