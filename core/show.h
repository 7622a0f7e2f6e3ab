/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names from the outside (models, teams, topics, keys of a file) shown to people: the one way for
 * terminals, logs, spreadsheets and pages. What would move a cursor, colour a line, begin another
 * or turn the order of characters round is shown escaped: C0, DEL, C1 (also as UTF-8), line and
 * paragraph separators, bidirectional controls, bytes that are not UTF-8.
 */
#ifndef CORE_SHOW_H
#define CORE_SHOW_H

#include "core/buf.h"

#include <stdio.h>

/* "a\x1b[2J" for an escape character, "\u009b" for CSI of C1. */
void show_add(struct buf *out, struct slice name);
/* Filled with blanks to `width` characters; a longer name stays whole, so that it can be pasted.
 * "-" stands for an empty one. */
void show_add_column(struct buf *out, struct slice name, unsigned width);
/* A quoted cell of CSV (RFC 4180). A cell that a spreadsheet would run as a formula (it begins with
 * = + - @ TAB CR) has a ' before it. */
void show_add_csv(struct buf *out, struct slice name);
/* Text of an HTML page. */
void show_add_html(struct buf *out, struct slice name);
/* Prints what was put together whole, or nothing of it: half a line of JSON is worse than none. */
void show_buf(FILE *out, const struct buf *text);
/* Whether anything was left out so far, here or of a line: a command then has failed. */
bool show_left_out(void);
/* One line of a text for people, shown as a whole: what a name in it would do is escaped. */
void show_line(FILE *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* In place, for texts that may not grow: what show_add() would escape becomes a blank, or ? for
 * each byte of a character. */
void show_blank(char *text);

#endif
