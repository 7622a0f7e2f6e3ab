/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One report, three formats: each prints groups, skipped rows and the greatest moves in its own
 * way. Progress goes to stderr, so that a report can be piped.
 */
#include "cli/reprice_print.h"

#include "cli/result.h"

#include "core/clock.h"
#include "core/show.h"

#include <unistd.h>

#define REPORT_MAX_BYTES (256u << 20)
#define BAR_WIDTH 24
#define BAR_INTERVAL_MS 200
#define LINE_INTERVAL_MS 10000
#define TABLE_ROWS_MAX 20 /* of a dimension; CSV and JSON have them all */

static const char *text_of(struct sum sum, char text[SUM_TEXT_MAX])
{
    sum_format(sum, text);
    return text;
}

static struct sum delta_of(const struct reprice_move *move)
{
    return sum_less(sum_of(move->after), sum_of(move->before));
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void json_group(struct buf *out, const struct tally_entry *entry)
{
    buf_add_char(out, '{');
    result_text(out, tally_dimension_name[entry->dimension], entry->value);
    result_int(out, "rows", entry->rows);
    result_sum(out, "spend_before", entry->before);
    result_sum(out, "spend_after", entry->after);
    result_sum(out, "delta", sum_less(entry->after, entry->before));
    buf_add_char(out, '}');
}

static void json_groups(struct buf *out, const struct tally *tally, enum tally_dimension dimension)
{
    bool first = true;
    buf_printf(out, ",\"by_%s\":[", tally_dimension_name[dimension]);
    for (size_t i = 0; i < tally->count; i++) {
        if (tally->entry[i].dimension != dimension)
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        json_group(out, &tally->entry[i]);
    }
    buf_add_char(out, ']');
}

/* Rows by reason; a reason that is not known stands as "". */
static void json_reasons(struct buf *out, const char *name, const struct tally *tally,
                         enum tally_dimension dimension)
{
    bool first = true;
    buf_printf(out, ",\"%s\":{", name);
    for (size_t i = 0; i < tally->count; i++) {
        if (tally->entry[i].dimension != dimension)
            continue;
        buf_add_text(out, first ? "" : ",");
        buf_add_json_string(out, tally->entry[i].value);
        buf_printf(out, ":%lld", (long long)tally->entry[i].rows);
        first = false;
    }
    buf_add_char(out, '}');
}

static struct tally_entry whole_of(const struct tally *tally, enum tally_dimension dimension)
{
    struct tally_entry whole = {.dimension = dimension};
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_entry *e = &tally->entry[i];
        if (e->dimension != dimension)
            continue;
        whole.rows += e->rows;
        sum_add(&whole.before, e->before);
        sum_add(&whole.after, e->after);
    }
    return whole;
}

static void json_prices(struct buf *out, const struct tally *tally)
{
    const struct tally_entry lost = whole_of(tally, TALLY_LOST),
                             gained = whole_of(tally, TALLY_GAINED);
    result_int(out, "price_lost", lost.rows);
    result_sum(out, "price_lost_spend_before", lost.before);
    json_reasons(out, "price_lost_by_reason", tally, TALLY_LOST);
    result_int(out, "price_gained", gained.rows);
    result_sum(out, "price_gained_spend_after", gained.after);
}

static void json_spend(struct buf *out, const char *name, bool has, struct money m)
{
    if (has)
        result_money(out, name, m);
    else
        result_null(out, name);
}

static void json_moves(struct buf *out, const struct reprice_report *report)
{
    buf_add_text(out, ",\"top\":[");
    for (size_t i = 0; i < report->move_count; i++) {
        const struct reprice_move *move = &report->move[i];
        buf_add_text(out, i ? ",{" : "{");
        result_text(out, "request_id", slice_of(move->request_id));
        result_time(out, "start_time", move->start_time_us);
        result_text(out, "model", slice_of(move->model));
        result_text(out, "team", slice_of(move->team));
        json_spend(out, "spend_before", move->had_spend, move->before);
        json_spend(out, "spend_after", move->has_spend, move->after);
        result_sum(out, "delta", delta_of(move));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* --- what if -------------------------------------------------------------------------------- */

/* A group, and what of it would have no price, or has none now. */
struct supposed_group {
    struct slice value;
    int64_t rows, unpriced, gained;
    struct sum before, after, unpriced_before, gained_after;
};

static struct supposed_group group_of(const struct reprice_report *report,
                                      const struct tally_entry *entry)
{
    const struct tally_entry *unpriced =
        tally_find(report->tally, TALLY_WHAT_IF_UNPRICED, entry->value);
    const struct tally_entry *gained =
        tally_find(report->tally, TALLY_WHAT_IF_GAINED, entry->value);
    struct supposed_group group = {
        .value = entry->value, .rows = entry->rows, .before = entry->before, .after = entry->after};
    if (unpriced) {
        group.unpriced = unpriced->rows;
        group.unpriced_before = unpriced->before;
    }
    if (gained) {
        group.gained = gained->rows;
        group.gained_after = gained->after;
    }
    return group;
}

static void group_add(struct supposed_group *total, const struct supposed_group *group)
{
    total->rows += group->rows;
    total->unpriced += group->unpriced;
    total->gained += group->gained;
    sum_add(&total->before, group->before);
    sum_add(&total->after, group->after);
    sum_add(&total->unpriced_before, group->unpriced_before);
    sum_add(&total->gained_after, group->gained_after);
}

static void json_supposed_group(struct buf *out, const char *by, const struct supposed_group *group)
{
    buf_add_char(out, '{');
    if (by)
        result_text(out, by, group->value);
    result_int(out, "rows", group->rows);
    result_sum(out, "spend_before", group->before);
    result_sum(out, "spend_after", group->after);
    result_sum(out, "delta", sum_less(group->after, group->before));
    result_int(out, "unpriced_rows", group->unpriced);
    result_sum(out, "unpriced_spend_before", group->unpriced_before);
    result_int(out, "gained_rows", group->gained);
    result_sum(out, "gained_spend_after", group->gained_after);
    buf_add_char(out, '}');
}

static void json_replaced(struct buf *out, const struct as_models *models)
{
    buf_add_text(out, ",\"as_model\":[");
    for (size_t i = 0; i < models->count; i++) {
        buf_add_text(out, i ? ",{" : "{");
        result_text(out, "model", models->item[i].from);
        result_text(out, "as", models->item[i].whole);
        result_int(out, "rows", models->item[i].rows);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void json_supposed(struct buf *out, const struct reprice_report *report,
                          const struct reprice_supposed *supposed)
{
    struct supposed_group total = {0};
    bool first = true;
    buf_add_text(out, ",\"what_if\":{");
    result_text(out, "by", slice_of(supposed->by));
    json_replaced(out, supposed->models);
    buf_add_text(out, ",\"groups\":[");
    for (size_t i = 0; i < report->tally->count; i++) {
        if (report->tally->entry[i].dimension != TALLY_WHAT_IF)
            continue;
        struct supposed_group group = group_of(report, &report->tally->entry[i]);
        if (!first)
            buf_add_char(out, ',');
        first = false;
        json_supposed_group(out, supposed->by, &group);
        group_add(&total, &group);
    }
    buf_add_text(out, "],\"total\":");
    json_supposed_group(out, NULL, &total);
    json_reasons(out, "unpriced_by_reason", report->tally, TALLY_WHAT_IF_REASON);
    buf_add_char(out, '}');
}

static void print_json(const struct reprice_report *report, const char *book_id,
                       const struct reprice_supposed *supposed, struct buf *out)
{
    const struct reprice_totals *t = &report->totals;
    buf_add_char(out, '{');
    result_bool(out, "dry_run", report->run_id == 0);
    if (report->run_id)
        result_int(out, "run", report->run_id);
    else
        result_null(out, "run");
    result_text(out, "book", slice_of(book_id));
    result_int(out, "days", report->days);
    result_int(out, "days_dropped", report->days_dropped);
    result_int(out, "considered", t->considered);
    result_int(out, "changed", t->changed);
    result_int(out, "unchanged", t->unchanged);
    result_int(out, "skipped", t->skipped);
    json_reasons(out, "skipped_by_reason", report->tally, TALLY_SKIPPED);
    result_int(out, "posted", t->posted);
    json_prices(out, report->tally);
    result_sum(out, "spend_before", t->before);
    result_sum(out, "spend_after", t->after);
    result_sum(out, "delta", sum_less(t->after, t->before));
    json_groups(out, report->tally, TALLY_MODEL);
    json_groups(out, report->tally, TALLY_TEAM);
    json_groups(out, report->tally, TALLY_DAY);
    json_moves(out, report);
    if (supposed->by)
        json_supposed(out, report, supposed);
    buf_add_text(out, "}\n");
}

/* --- CSV (RFC 4180) -------------------------------------------------------------------------- */

static void csv_row(struct buf *out, const char *dimension, struct slice value, int64_t rows,
                    struct sum before, struct sum after)
{
    char text[SUM_TEXT_MAX];
    buf_printf(out, "%s,", dimension);
    show_add_csv(out, value);
    buf_printf(out, ",%lld,%s", (long long)rows, text_of(before, text));
    buf_printf(out, ",%s", text_of(after, text));
    buf_printf(out, ",%s\r\n", text_of(sum_less(after, before), text));
}

/* An unknown price is an empty field, as in a database's own CSV; so is what it differs by. */
static void csv_move(struct buf *out, const struct reprice_move *m)
{
    char text[SUM_TEXT_MAX];
    buf_add_text(out, "row,");
    show_add_csv(out, slice_of(m->request_id));
    buf_printf(out, ",1,%s", m->had_spend ? text_of(sum_of(m->before), text) : "");
    buf_printf(out, ",%s", m->has_spend ? text_of(sum_of(m->after), text) : "");
    buf_printf(out, ",%s\r\n",
               m->had_spend && m->has_spend
                   ? text_of(sum_less(sum_of(m->after), sum_of(m->before)), text)
                   : "");
}

static void print_csv(const struct reprice_report *report, struct buf *out)
{
    const struct reprice_totals *t = &report->totals;
    buf_add_text(out, "dimension,value,rows,spend_before,spend_after,delta\r\n");
    csv_row(out, "total", SLICE("considered"), t->considered, t->before, t->after);
    for (size_t i = 0; i < report->tally->count; i++) {
        const struct tally_entry *e = &report->tally->entry[i];
        csv_row(out, tally_dimension_name[e->dimension], e->value, e->rows, e->before, e->after);
    }
    for (size_t i = 0; i < report->move_count; i++)
        csv_move(out, &report->move[i]);
}

/* --- table ----------------------------------------------------------------------------------- */

#define NAME_WIDTH 36

static void table_line(struct buf *out, struct slice name, int64_t rows, struct sum before,
                       struct sum after)
{
    char a[SUM_TEXT_MAX], b[SUM_TEXT_MAX], c[SUM_TEXT_MAX];
    if (name.bytes == 0)
        name = SLICE("(none)");
    buf_add_text(out, "  ");
    show_add_column(out, name, NAME_WIDTH);
    buf_printf(out, " %10lld %22s %22s %22s\n", (long long)rows, text_of(before, a),
               text_of(after, b), text_of(sum_less(after, before), c));
}

static void table_groups(struct buf *out, const struct tally *tally, enum tally_dimension dimension)
{
    unsigned shown = 0, left = 0;
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_entry *e = &tally->entry[i];
        if (e->dimension != dimension)
            continue;
        if (shown == 0 && left == 0)
            buf_printf(out, "\n%-38s %10s %22s %22s %22s\n", tally_dimension_name[dimension],
                       "rows", "before", "after", "delta");
        if (shown == TABLE_ROWS_MAX) {
            left++;
            continue;
        }
        table_line(out, e->value, e->rows, e->before, e->after);
        shown++;
    }
    if (left)
        buf_printf(out, "  ... and %u more; --format csv has them all\n", left);
}

static void table_reasons(struct buf *out, const struct tally *tally,
                          enum tally_dimension dimension)
{
    const char *before = " (";
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_entry *e = &tally->entry[i];
        if (e->dimension != dimension || e->value.bytes == 0)
            continue;
        buf_printf(out, "%s" SLICE_FMT " %lld", before, SLICE_ARG(e->value), (long long)e->rows);
        before = ", ";
    }
    if (before[0] == ',')
        buf_add_char(out, ')');
}

static void table_prices(struct buf *out, const struct tally *tally)
{
    const struct tally_entry lost = whole_of(tally, TALLY_LOST),
                             gained = whole_of(tally, TALLY_GAINED);
    char text[SUM_TEXT_MAX];
    if (lost.rows) {
        buf_printf(out, "%lld of the changed rows lose their price", (long long)lost.rows);
        table_reasons(out, tally, TALLY_LOST);
        buf_printf(out, ": they came to %s USD, which is in the difference\n",
                   text_of(lost.before, text));
    }
    if (gained.rows) {
        buf_printf(out, "%lld of the changed rows had no price", (long long)gained.rows);
        table_reasons(out, tally, TALLY_GAINED);
        buf_printf(out, " and get one: they come to %s USD\n", text_of(gained.after, text));
    }
}

static void table_moves(struct buf *out, const struct reprice_report *report)
{
    if (report->move_count == 0)
        return;
    buf_printf(out, "\n%-38s %33s %22s %22s\n", "rows that moved most", "before", "after", "delta");
    for (size_t i = 0; i < report->move_count; i++) {
        const struct reprice_move *m = &report->move[i];
        char a[SUM_TEXT_MAX], b[SUM_TEXT_MAX], c[SUM_TEXT_MAX];
        buf_add_text(out, "  ");
        show_add_column(out, slice_of(m->request_id), NAME_WIDTH);
        buf_printf(
            out, " %33s %22s %22s\n", m->had_spend ? text_of(sum_of(m->before), a) : "unknown",
            m->has_spend ? text_of(sum_of(m->after), b) : "unknown", text_of(delta_of(m), c));
    }
}

#define SUPPOSED_WIDTH 30

static void table_supposed_line(struct buf *out, const struct supposed_group *group)
{
    char a[SUM_TEXT_MAX], b[SUM_TEXT_MAX], c[SUM_TEXT_MAX], d[SUM_TEXT_MAX];
    struct slice name = group->value.bytes ? group->value : SLICE("(none)");
    buf_add_text(out, "  ");
    show_add_column(out, name, SUPPOSED_WIDTH);
    buf_printf(out, " %10lld %22s %22s %22s %10lld %22s\n", (long long)group->rows,
               text_of(group->before, a), text_of(group->after, b),
               text_of(sum_less(group->after, group->before), c), (long long)group->unpriced,
               text_of(group->unpriced_before, d));
}

static void table_supposed_reasons(struct buf *out, const struct tally *tally)
{
    const char *before = "not priced: ";
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_entry *e = &tally->entry[i];
        if (e->dimension != TALLY_WHAT_IF_REASON)
            continue;
        buf_printf(out, "%s%lld " SLICE_FMT, before, (long long)e->rows, SLICE_ARG(e->value));
        before = ", ";
    }
    if (before[0] == ',')
        buf_add_text(out, "; they are in neither sum\n");
}

static void table_supposed_notes(struct buf *out, const struct reprice_report *report,
                                 const struct reprice_supposed *supposed,
                                 const struct supposed_group *total)
{
    char text[SUM_TEXT_MAX];
    for (size_t i = 0; i < supposed->models->count; i++) {
        const struct as_model *it = &supposed->models->item[i];
        buf_printf(out, "%lld rows of ", (long long)it->rows);
        show_add_column(out, it->from, 0);
        buf_add_text(out, " as ");
        show_add_column(out, it->whole, 0);
        buf_add_char(out, '\n');
    }
    table_supposed_reasons(out, report->tally);
    if (total->gained)
        buf_printf(out,
                   "%lld rows have no price now and would come to %s: they are in neither "
                   "sum\n",
                   (long long)total->gained, text_of(total->gained_after, text));
}

static void table_supposed(struct buf *out, const struct reprice_report *report,
                           const struct reprice_supposed *supposed)
{
    struct supposed_group total = {.value = SLICE("(total)")};
    unsigned shown = 0, left = 0;
    buf_printf(out, "\nwhat if, by %-20s %10s %22s %22s %22s %10s %22s\n", supposed->by, "rows",
               "now", "then", "change", "not priced", "of these, now");
    for (size_t i = 0; i < report->tally->count; i++) {
        if (report->tally->entry[i].dimension != TALLY_WHAT_IF)
            continue;
        struct supposed_group group = group_of(report, &report->tally->entry[i]);
        group_add(&total, &group);
        if (shown == TABLE_ROWS_MAX) {
            left++;
            continue;
        }
        table_supposed_line(out, &group);
        shown++;
    }
    if (left)
        buf_printf(out, "  ... and %u more; --format csv has them all\n", left);
    table_supposed_line(out, &total);
    table_supposed_notes(out, report, supposed, &total);
}

static void print_table(const struct reprice_report *report, const char *book_id,
                        const struct reprice_supposed *supposed, struct buf *out)
{
    const struct reprice_totals *t = &report->totals;
    char a[SUM_TEXT_MAX], b[SUM_TEXT_MAX], c[SUM_TEXT_MAX];
    if (report->run_id)
        buf_printf(out, "run %lld, book %s\n", (long long)report->run_id, book_id);
    else
        buf_printf(out, "dry run, book %s: nothing was changed\n", book_id);
    buf_printf(out, "considered %lld rows of %u days: %lld changed, %lld unchanged, %lld skipped",
               (long long)t->considered, report->days, (long long)t->changed,
               (long long)t->unchanged, (long long)t->skipped);
    table_reasons(out, report->tally, TALLY_SKIPPED);
    buf_add_char(out, '\n');
    if (t->posted)
        buf_printf(out,
                   "%lld of the changed rows lie in closed periods: the difference is posted\n",
                   (long long)t->posted);
    if (report->days_dropped)
        buf_printf(out, "%u days were dropped by retention meanwhile and are left out\n",
                   report->days_dropped);
    buf_printf(out, "spend before %s, after %s, delta %s USD\n", text_of(t->before, a),
               text_of(t->after, b), text_of(sum_less(t->after, t->before), c));
    table_prices(out, report->tally);
    if (supposed->by)
        table_supposed(out, report, supposed);
    table_groups(out, report->tally, TALLY_MODEL);
    table_groups(out, report->tally, TALLY_TEAM);
    table_groups(out, report->tally, TALLY_DAY);
    table_moves(out, report);
}

void reprice_print(const struct reprice_report *report, const char *book_id,
                   const struct reprice_supposed *supposed, enum reprice_format format)
{
    struct buf out;
    buf_init(&out, REPORT_MAX_BYTES);
    if (format == REPRICE_JSON)
        print_json(report, book_id, supposed, &out);
    else if (format == REPRICE_CSV)
        print_csv(report, &out);
    else
        print_table(report, book_id, supposed, &out);
    show_buf(stdout, &out);
    buf_free(&out);
}

/* --- progress -------------------------------------------------------------------------------- */

void reprice_progress_start(struct reprice_progress *progress, bool quiet)
{
    *progress = (struct reprice_progress){
        .quiet = quiet, .terminal = isatty(STDERR_FILENO), .started_ms = clock_monotonic_ms()};
    progress->told_ms = progress->started_ms;
    progress->considered_first = -1;
}

static void bar_draw(int64_t percent, int64_t rows, int64_t rate, int64_t left_s)
{
    char bar[BAR_WIDTH + 1];
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < percent * BAR_WIDTH / 100 ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3lld%%  %lld rows  %lld/s  ETA %lld:%02lld   ", bar,
            (long long)percent, (long long)rows, (long long)rate, (long long)left_s / 60,
            (long long)left_s % 60);
}

void reprice_progress_tell(struct reprice_progress *progress, const struct reprice_totals *totals,
                           int64_t expected)
{
    int64_t now_ms = clock_monotonic_ms(), elapsed_ms = now_ms - progress->started_ms;
    if (progress->considered_first < 0)
        progress->considered_first = totals->considered;
    if (progress->quiet ||
        now_ms - progress->told_ms < (progress->terminal ? BAR_INTERVAL_MS : LINE_INTERVAL_MS))
        return;
    progress->told_ms = now_ms;
    int64_t rows = totals->considered - progress->considered_first;
    int64_t rate = elapsed_ms > 0 ? rows * 1000 / elapsed_ms : 0;
    int64_t left = expected > rows ? expected - rows : 0;
    int64_t percent = rows + left > 0 ? rows * 100 / (rows + left) : 100;
    int64_t left_s = rate > 0 ? left / rate : 0;
    if (progress->terminal)
        bar_draw(percent, rows, rate, left_s);
    else
        fprintf(stderr, "reprice: %lld rows (%lld%%), %lld changed, %lld/s, ETA %lld:%02lld\n",
                (long long)rows, (long long)percent, (long long)totals->changed, (long long)rate,
                (long long)left_s / 60, (long long)left_s % 60);
    progress->drawn = progress->terminal;
}

void reprice_progress_end(struct reprice_progress *progress)
{
    if (progress->drawn)
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + 64, "");
}
