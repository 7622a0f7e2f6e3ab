/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures become doubles here, and only here: a bar has no more than a few hundred pixels. Times
 * are numbers of hours, days or months, so that a time without spend is a gap.
 */
#include "cli/report_chart.h"

#include "cli/report_text.h"

#include "core/clock.h"
#include "core/show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 720
#define HEIGHT 230
#define LEFT 76
#define BOTTOM 24
#define TOP 18
#define DAYS_SHOWN 124 /* of more, months are shown */
#define LABELS 8
#define MARK 1.5
#define DUST 1e-15 /* what doubles that come to nothing leave */

enum unit_of_time { HOUR, DAY, MONTH };

struct series {
    struct slice name;
    double total;
};

struct chart {
    const struct report_answer *answer;
    enum unit_of_time unit;
    int64_t first, last; /* slots */
    struct series *series;
    size_t series_count;
    double (*slot)[CHART_SERIES];
    double highest;
};

/* --- time */

static bool parse_time(struct slice text, struct civil *date, int *hour)
{
    int year, month, day;
    char copy[32];
    if (text.bytes < 10 || text.bytes >= sizeof(copy))
        return false;
    memcpy(copy, text.p, text.bytes);
    copy[text.bytes] = '\0';
    *hour = -1;
    if (sscanf(copy, "%d-%d-%d %d", &year, &month, &day, hour) < 3)
        return false;
    *date = (struct civil){.year = year, .month = (unsigned)month, .day = (unsigned)day};
    return true;
}

static int64_t slot_of(enum unit_of_time unit, struct civil date, int hour)
{
    return unit == MONTH ? date.year * 12 + date.month - 1
           : unit == DAY ? clock_days(date)
                         : clock_days(date) * 24 + hour;
}

static void add_slot_name(struct buf *to, enum unit_of_time unit, int64_t slot, bool whole)
{
    if (unit == MONTH) {
        buf_printf(to, "%04d-%02d", (int)(slot / 12), (int)(slot % 12) + 1);
        return;
    }
    struct civil date = clock_civil(unit == HOUR ? slot / 24 : slot);
    if (whole)
        buf_printf(to, "%04d-", (int)date.year);
    if (whole || unit == DAY)
        buf_printf(to, "%02d-%02d%s", date.month, date.day, unit == HOUR ? " " : "");
    if (unit == HOUR)
        buf_printf(to, "%02d:00", (int)(slot % 24));
}

/* --- the figures */

static int by_name(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    size_t bytes = x->name.bytes < y->name.bytes ? x->name.bytes : y->name.bytes;
    int order = bytes ? memcmp(x->name.p, y->name.p, bytes) : 0;
    return order ? order : (x->name.bytes > y->name.bytes) - (x->name.bytes < y->name.bytes);
}

static int by_total(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    return (x->total < y->total) - (x->total > y->total);
}

static bool row_at(const struct chart *chart, size_t i, struct report_row *row, struct civil *date,
                   int *hour)
{
    *row = report_row(chart->answer, i);
    return row->kind == REPORT_GROUP && row->sums.spend.bytes &&
           parse_time(row->key[0], date, hour);
}

/* One for each name, by what it spent. */
static void series_merge(struct chart *chart)
{
    size_t kept = 0;
    qsort(chart->series, chart->series_count, sizeof(*chart->series), by_name);
    for (size_t i = 0; i < chart->series_count; i++)
        if (kept > 0 && slice_eq(chart->series[kept - 1].name, chart->series[i].name))
            chart->series[kept - 1].total += chart->series[i].total;
        else
            chart->series[kept++] = chart->series[i];
    chart->series_count = kept;
    qsort(chart->series, chart->series_count, sizeof(*chart->series), by_total);
}

/* Names, and the first and last day or hour. */
static bool extent(struct chart *chart)
{
    size_t rows = report_rows(chart->answer);
    struct report_row row;
    struct civil date;
    int hour;
    chart->series = calloc(rows + 1, sizeof(*chart->series));
    chart->first = INT64_MAX;
    chart->last = INT64_MIN;
    for (size_t i = 0; chart->series && i < rows; i++) {
        if (!row_at(chart, i, &row, &date, &hour))
            continue;
        chart->unit = hour >= 0 ? HOUR : DAY;
        int64_t slot = slot_of(chart->unit, date, hour);
        chart->first = slot < chart->first ? slot : chart->first;
        chart->last = slot > chart->last ? slot : chart->last;
        chart->series[chart->series_count++] =
            (struct series){.name = row.key[1], .total = report_number(row.sums.spend)};
    }
    if (!chart->series || chart->series_count == 0)
        return false;
    series_merge(chart);
    return true;
}

static void months_instead(struct chart *chart)
{
    if (chart->unit != DAY || chart->last - chart->first < DAYS_SHOWN)
        return;
    chart->first = slot_of(MONTH, clock_civil(chart->first), 0);
    chart->last = slot_of(MONTH, clock_civil(chart->last), 0);
    chart->unit = MONTH;
}

static size_t place_of(const struct chart *chart, struct slice name)
{
    size_t own = chart->series_count > CHART_SERIES ? CHART_SERIES - 1 : CHART_SERIES;
    for (size_t i = 0; i < own && i < chart->series_count; i++)
        if (slice_eq(chart->series[i].name, name))
            return i;
    return CHART_SERIES - 1;
}

/* The highest bar; of corrections alone, as high as there is none: 1. */
static void scale_find(struct chart *chart, size_t slots)
{
    bool below = false;
    for (size_t s = 0; s < slots; s++) {
        double sum = 0;
        for (size_t i = 0; i < CHART_SERIES; i++) {
            double *v = &chart->slot[s][i];
            if (fabs(*v) < DUST)
                *v = 0;
            sum += *v > 0 ? *v : 0;
            below |= *v < 0;
        }
        chart->highest = sum > chart->highest ? sum : chart->highest;
    }
    if (below && chart->highest <= 0)
        chart->highest = 1;
}

static bool fill(struct chart *chart)
{
    struct report_row row;
    struct civil date;
    int hour;
    size_t slots = (size_t)(chart->last - chart->first) + 1;
    chart->slot = calloc(slots, sizeof(*chart->slot));
    if (!chart->slot)
        return false;
    for (size_t i = 0; i < report_rows(chart->answer); i++)
        if (row_at(chart, i, &row, &date, &hour)) {
            int64_t slot = slot_of(chart->unit, date, hour) - chart->first;
            chart->slot[slot][place_of(chart, row.key[1])] += report_number(row.sums.spend);
        }
    scale_find(chart, slots);
    return chart->highest > 0;
}

/* --- drawing */

/* The next of 1, 2, 5, 10, ... */
static double round_up(double v)
{
    static const double step[] = {1, 2, 5, 10};
    double ten = pow(10, floor(log10(v)));
    for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++)
        if (step[i] * ten >= v)
            return step[i] * ten;
    return v;
}

static void add_amount(struct buf *to, double v)
{
    buf_printf(to, fabs(v) >= 100 ? "%.0f" : fabs(v) >= 1 ? "%.2f" : "%.3g", v);
}

static void add_name(struct buf *to, const struct chart *chart, size_t place)
{
    bool others = chart->series_count > CHART_SERIES && place == CHART_SERIES - 1;
    struct slice name = others ? SLICE("other") : chart->series[place].name;
    show_add_html(to, name.bytes ? name : SLICE("(none)"));
}

static void add_grid(struct buf *to, double top)
{
    double step = round_up(top / 4);
    for (double v = 0; v <= top * 1.0001; v += step) {
        double y = HEIGHT - BOTTOM - v / top * (HEIGHT - BOTTOM - TOP);
        buf_printf(to,
                   "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
                   "class=\"y\">",
                   LEFT, WIDTH, y, y, LEFT - 6, y + 4);
        add_amount(to, v);
        buf_add_text(to, "</text>\n");
    }
}

static void add_bar(struct buf *to, const struct chart *chart, int64_t slot, size_t place, double y,
                    double high)
{
    int64_t slots = chart->last - chart->first + 1;
    double each = (double)(WIDTH - LEFT) / (double)slots, wide = each < 3 ? each : each * 0.8;
    buf_printf(to,
               "<rect class=\"s%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
               place, LEFT + (double)slot * each + (each - wide) / 2, y, wide, high);
    add_slot_name(to, chart->unit, chart->first + slot, true);
    buf_add_text(to, ", ");
    add_name(to, chart, place);
    buf_add_text(to, ": ");
    add_amount(to, chart->slot[slot][place]);
    buf_add_text(to, " USD</title></rect>\n");
}

/* What corrections took more from than was spent has a mark of its own below the axis. */
static void add_bars(struct buf *to, const struct chart *chart, double top)
{
    for (int64_t s = 0; s <= chart->last - chart->first; s++) {
        double above = HEIGHT - BOTTOM, below = above;
        for (size_t i = 0; i < CHART_SERIES; i++) {
            double v = chart->slot[s][i];
            if (v > 0) {
                double high = v / top * (HEIGHT - BOTTOM - TOP);
                above -= high;
                add_bar(to, chart, s, i, above, high);
            } else if (v < 0) {
                add_bar(to, chart, s, i, below, MARK);
                below += MARK;
            }
        }
    }
}

static void add_times(struct buf *to, const struct chart *chart)
{
    int64_t slots = chart->last - chart->first + 1, every = (slots + LABELS - 1) / LABELS;
    double each = (double)(WIDTH - LEFT) / (double)slots;
    for (int64_t s = 0; s < slots; s += every) {
        buf_printf(to, "<text class=\"x\" x=\"%.1f\" y=\"%d\">", LEFT + ((double)s + 0.5) * each,
                   HEIGHT - 6);
        add_slot_name(to, chart->unit, chart->first + s, false);
        buf_add_text(to, "</text>\n");
    }
}

static void add_legend(struct buf *to, const struct chart *chart)
{
    size_t shown = chart->series_count > CHART_SERIES ? CHART_SERIES : chart->series_count;
    buf_add_text(to, "<p class=\"legend\">");
    for (size_t i = 0; i < shown; i++) {
        buf_printf(to, "<span><i class=\"s%zu\"></i>", i);
        add_name(to, chart, i);
        buf_add_text(to, "</span> ");
    }
    buf_add_text(to, "</p>");
}

void report_add_chart(struct buf *to, const struct report_answer *answer, const char *title)
{
    struct chart chart = {.answer = answer};
    bool there = extent(&chart);
    if (there) {
        months_instead(&chart);
        there = fill(&chart);
    }
    if (there) {
        double top =
            round_up(chart.highest / 4) * ceil(chart.highest / round_up(chart.highest / 4));
        buf_printf(to,
                   "<figure class=\"chart\"><figcaption>%s, US dollars</figcaption>\n"
                   "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
                   title, WIDTH, HEIGHT, title);
        add_grid(to, top);
        add_bars(to, &chart, top);
        add_times(to, &chart);
        buf_add_text(to, "</svg>");
        add_legend(to, &chart);
        buf_add_text(to, "</figure>\n");
    }
    free(chart.series);
    free(chart.slot);
}
