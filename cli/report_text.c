/* SPDX-License-Identifier: Apache-2.0 */
/* Figures stay texts: no amount is too large, or too exact, to be shown. */
#include "cli/report_text.h"

#include "core/clock.h"
#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slice report_key(const struct report_row *row, size_t k, const struct report_view *view)
{
    (void)view;
    if (row->kind == REPORT_GROUP)
        return row->key[k];
    if (k > 0)
        return SLICE("");
    return row->kind == REPORT_OTHER ? SLICE("(other)") : SLICE("(total)");
}

void report_add_figure(struct buf *to, struct slice figure)
{
    const char *point = figure.bytes ? memchr(figure.p, '.', figure.bytes) : NULL;
    size_t whole = point ? (size_t)(point - figure.p) : figure.bytes;
    size_t sign = figure.bytes && figure.p[0] == '-';
    if (figure.bytes == 0)
        buf_add_char(to, '-');
    for (size_t i = 0; i < figure.bytes; i++) {
        if (i > sign && i < whole && (whole - i) % 3 == 0)
            buf_add_char(to, ',');
        buf_add_char(to, figure.p[i]);
    }
}

void report_add_percent(struct buf *to, struct slice percent, bool with_sign)
{
    if (percent.bytes == 0) {
        buf_add_char(to, '-');
        return;
    }
    if (with_sign && percent.p[0] != '-')
        buf_add_char(to, '+');
    report_add_figure(to, percent);
    buf_add_text(to, " %");
}

double report_number(struct slice figure)
{
    char text[64];
    if (figure.bytes == 0 || figure.bytes >= sizeof(text))
        return 0;
    memcpy(text, figure.p, figure.bytes);
    text[figure.bytes] = '\0';
    return strtod(text, NULL);
}

static void add_time(struct buf *to, int64_t us, const char *open)
{
    char text[CLOCK_TEXT_MAX];
    if (us == INT64_MIN || us == INT64_MAX) {
        buf_add_text(to, open);
        return;
    }
    clock_format(us, text);
    text[10] = ' ';
    buf_printf(to, "%.16s", text);
}

void report_add_period(struct buf *to, const struct report_view *view)
{
    struct report_period p = report_period(view->answer);
    if (p.since_us == INT64_MIN && p.until_us == INT64_MAX)
        return;
    add_time(to, p.since_us, "the first call");
    buf_add_text(to, " to ");
    add_time(to, p.until_us, "now");
    buf_add_text(to, " UTC");
    if (p.before_until_us == 0)
        return;
    buf_add_text(to, "; change since ");
    add_time(to, p.before_since_us, "");
    buf_add_text(to, " to ");
    add_time(to, p.before_until_us, "");
}

void report_add_dropped(struct buf *to, const struct report_dropped *dropped)
{
    char rows[32];
    snprintf(rows, sizeof(rows), "%lld", (long long)dropped->rows);
    if (dropped->rows > 0) {
        report_add_figure(to, slice_of(rows));
        buf_printf(to, " calls of %s to %s", dropped->first, dropped->last);
        if (dropped->spend[0]) {
            buf_add_text(to, ", ");
            report_add_figure(to, slice_of(dropped->spend));
            buf_add_text(to, " USD,");
        }
        buf_add_text(to, " are not in it: retention dropped their rows (dropped_partitions)\n");
    }
    if (dropped->before)
        buf_add_text(to, "no change is told: retention dropped rows of the period before\n");
}

void report_warn_dropped(const struct report_dropped *dropped)
{
    struct buf lines;
    buf_init(&lines, 1024);
    report_add_dropped(&lines, dropped);
    for (size_t at = 0, end; at < lines.bytes; at = end + 1) {
        end = at + strcspn(lines.p + at, "\n");
        log_warn("%.*s", (int)(end - at), lines.p + at);
    }
    buf_free(&lines);
}

void report_add_notes(struct buf *to, const struct report_view *view)
{
    struct report_row total = report_row(view->answer, report_rows(view->answer) - 1);
    if (report_overlaps(view->answer))
        buf_add_text(to, "tags overlap: a call counts under each of its tags, in the total once\n");
    if (report_metered(view->answer))
        buf_add_text(to,
                     "a call is in the line of each meter, in the total once; amounts add up\n");
    const struct report_dropped dropped = report_dropped(view->answer);
    report_add_dropped(to, &dropped);
    if (!slice_is(total.sums.unpriced, "0")) {
        report_add_figure(to, total.sums.unpriced);
        buf_add_text(to, " calls without a price are not in it: see spendlog.unpriced_models\n");
    }
    if (!slice_is(report_doubtful_calls(view->answer), "0")) {
        buf_printf(to, "doubtful: " SLICE_FMT " calls, ",
                   SLICE_ARG(report_doubtful_calls(view->answer)));
        report_add_figure(to, report_doubtful_at_stake(view->answer));
        buf_add_text(to, " USD: see spendlog.doubtful_rows for which and why\n");
    }
}
