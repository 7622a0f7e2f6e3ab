/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: columns are as wide as their widest cell. */
#include "cli/report_table.h"

#include "core/show.h"

#include <string.h>

#define LINE_MAX_BYTES (1u << 20)
#define BAR_CELLS 20

enum {
    COLUMN_CALLS,
    COLUMN_UNPRICED,
    COLUMN_DOUBTFUL,
    COLUMN_QUANTITY,
    COLUMN_INPUT,
    COLUMN_OUTPUT,
    COLUMN_SPEND,
    COLUMN_SHARE,
    COLUMN_CHANGE,
    COLUMNS
};

static const char *const column_name[COLUMNS] = {"calls",     "unpriced",     "doubtful",
                                                 "quantity",  "input_tokens", "output_tokens",
                                                 "spend USD", "share",        "change"};

struct table {
    const struct report_view *view;
    size_t key_width[REPORT_KEYS_MAX], width[COLUMNS]; /* 0: is not shown */
    bool bars;
};

/* Of meters there is a quantity instead of tokens; nothing doubtful has no column. */
static bool column_shown(const struct report_view *view, int column)
{
    struct report_row total = report_row(view->answer, report_rows(view->answer) - 1);
    bool metered = report_metered(view->answer);
    switch (column) {
    case COLUMN_DOUBTFUL:
        return !slice_is(total.sums.doubtful, "0");
    case COLUMN_QUANTITY:
        return metered;
    case COLUMN_INPUT:
    case COLUMN_OUTPUT:
        return !metered;
    default:
        return true;
    }
}

/* The text of a cell into `cell`, which is emptied first. */
static void cell_put(struct buf *cell, const struct report_row *row, int column)
{
    const struct report_sums *sums = &row->sums;
    const struct slice figure[] = {sums->calls,    sums->unpriced,     sums->doubtful,
                                   sums->quantity, sums->input_tokens, sums->output_tokens,
                                   sums->spend};
    buf_reset(cell);
    if (column <= COLUMN_SPEND)
        report_add_figure(cell, figure[column]);
    else if (column == COLUMN_SHARE)
        report_add_percent(cell, sums->share, false);
    else
        report_add_percent(cell, sums->change, true);
}

static size_t shown_width(struct slice name)
{
    struct buf shown;
    buf_init(&shown, LINE_MAX_BYTES);
    show_add_column(&shown, name, 0);
    size_t width = 0;
    for (size_t i = 0; i < shown.bytes; i++)
        width += ((unsigned char)shown.p[i] & 0xC0) != 0x80;
    buf_free(&shown);
    return width;
}

static void widths_find(struct table *table)
{
    struct buf cell;
    buf_init(&cell, LINE_MAX_BYTES);
    for (int c = 0; c < COLUMNS; c++)
        table->width[c] = column_shown(table->view, c) ? strlen(column_name[c]) : 0;
    for (size_t k = 0; k < table->view->by_count; k++)
        table->key_width[k] = strlen(table->view->by[k]);
    for (size_t i = 0; i < report_rows(table->view->answer); i++) {
        struct report_row row = report_row(table->view->answer, i);
        for (size_t k = 0; k < table->view->by_count; k++) {
            size_t width = shown_width(report_key(&row, k, table->view));
            table->key_width[k] = width > table->key_width[k] ? width : table->key_width[k];
        }
        for (int c = 0; c < COLUMNS; c++) {
            cell_put(&cell, &row, c);
            if (table->width[c] && cell.bytes > table->width[c])
                table->width[c] = cell.bytes;
        }
    }
    buf_free(&cell);
}

static void table_row(const struct table *table, const struct report_row *row, struct buf *line)
{
    struct buf cell;
    buf_init(&cell, LINE_MAX_BYTES);
    for (size_t k = 0; k < table->view->by_count; k++) {
        show_add_column(line, report_key(row, k, table->view), (unsigned)table->key_width[k]);
        buf_add_text(line, "  ");
    }
    for (int c = 0; c < COLUMNS; c++) {
        cell_put(&cell, row, c);
        if (table->width[c])
            buf_printf(line, "%s%*.*s", c ? "  " : "", (int)table->width[c], (int)cell.bytes,
                       cell.p);
    }
    if (table->bars && row->kind != REPORT_TOTAL) {
        int cells = (int)(report_number(row->sums.share) / 100 * BAR_CELLS + 0.5);
        buf_add_text(line, "  ");
        for (int i = 0; i < cells && i < BAR_CELLS; i++)
            buf_add_text(line, "\u2588");
    }
    buf_add_char(line, '\n');
    buf_free(&cell);
}

void report_add_table(struct buf *to, const struct report_view *view, bool bars)
{
    struct table table = {.view = view, .bars = bars};
    size_t before = to->bytes;
    widths_find(&table);
    report_add_period(to, view);
    if (to->bytes > before)
        buf_add_char(to, '\n');
    for (size_t k = 0; k < view->by_count; k++)
        buf_printf(to, "%-*s  ", (int)table.key_width[k], view->by[k]);
    for (int c = 0; c < COLUMNS; c++)
        if (table.width[c])
            buf_printf(to, "%s%*s", c ? "  " : "", (int)table.width[c], column_name[c]);
    buf_add_char(to, '\n');
    for (size_t i = 0; i < report_rows(view->answer); i++) {
        struct report_row row = report_row(view->answer, i);
        table_row(&table, &row, to);
    }
    report_add_notes(to, view);
}
