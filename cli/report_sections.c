/* SPDX-License-Identifier: Apache-2.0 */
/* Small tables that do not sort; names come from outside and are escaped. */
#include "cli/report_sections.h"

#include "cli/report_text.h"

#include "core/show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOVERS_SHOWN 10
#define DECIMALS_SHOWN 4

void report_add_short(struct buf *to, struct slice figure)
{
    const char *point = figure.bytes ? memchr(figure.p, '.', figure.bytes) : NULL;
    size_t most = point ? (size_t)(point - figure.p) + 1 + DECIMALS_SHOWN : figure.bytes;
    bool cut = figure.bytes > most;
    report_add_figure(to, cut ? (struct slice){figure.p, most} : figure);
    if (cut)
        buf_add_text(to, "\u2026");
}

static void name_add(struct buf *to, struct slice name)
{
    buf_add_text(to, "<td class=\"k\">");
    show_add_html(to, name.bytes ? name : SLICE("-"));
}

static void figure_add(struct buf *to, struct slice figure)
{
    buf_printf(to, "<td title=\"" SLICE_FMT "\">", SLICE_ARG(figure));
    report_add_short(to, figure);
}

/* --- what moved */

struct mover {
    struct report_row row;
    double moved;
};

static int by_size(const void *a, const void *b)
{
    double x = fabs(((const struct mover *)a)->moved), y = fabs(((const struct mover *)b)->moved);
    return (x < y) - (x > y);
}

static void mover_add(struct buf *to, const struct mover *mover)
{
    char text[64];
    int bytes = snprintf(text, sizeof(text), "%.4f", mover->moved);
    name_add(to, mover->row.key[0]);
    name_add(to, mover->row.key[1]);
    figure_add(to, mover->row.sums.before);
    figure_add(to, mover->row.sums.spend);
    buf_printf(to, "<td class=\"%s\">%s", mover->moved < 0 ? "down" : "up",
               mover->moved < 0 ? "" : "+");
    report_add_figure(to, (struct slice){text, (size_t)bytes});
    buf_add_text(to, "</tr>\n");
}

void report_add_movers(struct buf *to, const struct report_page *page)
{
    const struct report_answer *answer = report_page_moved(page);
    size_t rows = answer ? report_rows(answer) : 0, count = 0;
    struct mover *mover = calloc(rows + 1, sizeof(*mover));
    for (size_t i = 0; mover && i < rows; i++) {
        struct report_row row = report_row(answer, i);
        double moved = report_number(row.sums.spend) - report_number(row.sums.before);
        if (row.kind == REPORT_GROUP && moved != 0)
            mover[count++] = (struct mover){row, moved};
    }
    if (count) {
        qsort(mover, count, sizeof(*mover), by_size);
        buf_add_text(to, "<section id=\"movers\"><h2>What moved</h2><div "
                         "class=\"wide\"><table><tr><th class=\"k\">model"
                         "<th class=\"k\">team<th>before<th>now<th>change USD</tr>\n");
        for (size_t i = 0; i < count && i < MOVERS_SHOWN; i++) {
            buf_add_text(to, "<tr>");
            mover_add(to, &mover[i]);
        }
        buf_add_text(to, "</table></div></section>\n");
    }
    free(mover);
}

/* --- meters */

/* Tokens are some of other tokens; of seconds, images or searches only the spend is. */
static const char *part_word(const struct report_meter *meter)
{
    static const char tokens[] = "_tokens";
    const struct slice name[] = {meter->name, meter->part_of};
    bool both = true;
    for (int i = 0; i < 2; i++)
        both = both && name[i].bytes >= sizeof(tokens) - 1 &&
               memcmp(name[i].p + name[i].bytes - (sizeof(tokens) - 1), tokens,
                      sizeof(tokens) - 1) == 0;
    return both ? "of these " : "of this spend ";
}

void report_add_meters(struct buf *to, const struct report_page *page)
{
    size_t count = report_page_meters(page);
    if (count == 0)
        return;
    buf_add_text(to, "<section id=\"meters\"><h2>Meters</h2><div class=\"wide\"><table><tr><th "
                     "class=\"k\">meter<th>quantity"
                     "<th>spend USD<th>USD a million</tr>\n");
    for (size_t i = 0; i < count; i++) {
        struct report_meter meter = report_page_meter(page, i);
        buf_printf(to, "<tr><td class=\"k%s\">", meter.part_of.bytes ? " part" : "");
        if (meter.part_of.bytes)
            buf_add_text(to, part_word(&meter));
        show_add_html(to, meter.name);
        figure_add(to, meter.quantity);
        figure_add(to, meter.amount);
        figure_add(to, meter.million);
        buf_add_text(to, "</tr>\n");
    }
    buf_add_text(to, "</table></div><p class=\"dim\">Whole days, UTC.</p></section>\n");
}

/* --- what is not settled */

void report_add_suspense(struct buf *to, const struct report_page *page)
{
    int64_t all;
    size_t count = report_page_open_items(page, &all);
    if (count == 0)
        return;
    buf_add_text(to, "<section id=\"suspense\"><h2>Not settled</h2><div "
                     "class=\"wide\"><table><tr><th class=\"k\">what"
                     "<th class=\"k\">provider<th class=\"k\">model<th "
                     "class=\"k\">why<th>calls<th>at risk USD<th>days</tr>\n");
    for (size_t i = 0; i < count; i++) {
        struct report_open_item item = report_page_open_item(page, i);
        buf_add_text(to, "<tr>");
        name_add(to, item.what);
        name_add(to, item.provider);
        name_add(to, item.model);
        name_add(to, item.why);
        figure_add(to, item.calls);
        figure_add(to, item.at_risk);
        figure_add(to, item.age_days);
        buf_add_text(to, "</tr>\n");
    }
    buf_add_text(to, "</table></div><p class=\"dim\">As of now, whatever the period");
    if ((size_t)all > count)
        buf_printf(to, "; and %lld more", (long long)all - (long long)count);
    buf_add_text(to, ". spendlog.suspense has them all.</p></section>\n");
}
