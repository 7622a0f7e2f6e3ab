/* SPDX-License-Identifier: Apache-2.0 */
/* Names come from outside: all of them are escaped, none stands in a script or a style. */
#include "cli/report_html.h"

#include "cli/report_chart.h"
#include "cli/report_sections.h"

#include "core/show.h"

#include <string.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>LLM spend</title>\n<style>\n"
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1c2430;--dim:#667085;--line:#d9dee7;--bar:#3b6fd4;--up:#b42318;--down:#"
    "17803d}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161d;--fg:#e6e9ef;--dim:#98a2b3;--line:#"
    "2c3442;"
    "--bar:#6c9bf5;--up:#ff8a7a;--down:#6fd08c}}\n"
    "body{font:15px/1.45 "
    "system-ui,sans-serif;background:var(--bg);color:var(--fg);max-width:78rem;margin:2rem "
    "auto;padding:0 1rem}\n"
    "h1{font-size:1.4rem;margin:0}.dim{color:var(--dim)}.total{font-size:2rem;font-variant-numeric:"
    "tabular-nums;margin:.6rem 0}\n"
    "h2{font-size:1.1rem;margin:1.8rem 0 .4rem}figure{margin:1.2rem 0}figcaption{font-weight:600}\n"
    "svg{width:100%;height:auto;display:block}svg line{stroke:var(--line)}svg text{fill:var(--dim);"
    "font-size:11px}\n"
    "svg .y{text-anchor:end}svg .x{text-anchor:middle}rect:hover{opacity:.75}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.3rem 0;font-size:.85rem}\n"
    ".legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.35rem;"
    "vertical-align:-1px}\n"
    ".s0{fill:#3b6fd4;background:#3b6fd4}.s1{fill:#e08a2c;background:#e08a2c}"
    ".s2{fill:#2f9e6e;background:#2f9e6e}.s3{fill:#c2456b;background:#c2456b}"
    ".s4{fill:#8a63d2;background:#8a63d2}.s5{fill:#2aa5b8;background:#2aa5b8}"
    ".s6{fill:#b59a1f;background:#b59a1f}.s7{fill:#98a2b3;background:#98a2b3}\n"
    "td.part{padding-left:1.6rem;color:var(--dim)}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-"
    "nums}\n"
    "th,td{border-bottom:1px solid var(--line);padding:.3rem "
    ".45rem;text-align:right;white-space:nowrap}\n"
    "th.k,td.k{text-align:left;min-width:7rem;overflow-wrap:break-word;white-space:normal}\n"
    "th button{all:unset;cursor:pointer;font-weight:600}th button:focus-visible{outline:2px solid "
    "var(--bar)}\n"
    "tfoot td{font-weight:600}td.up{color:var(--up)}td.down{color:var(--down)}\n"
    "meter{width:5rem;height:.8rem}\n"
    "@media(max-width:40rem){.less{display:none}svg text{font-size:20px}th,td{padding:.3rem}"
    "th.k,td.k{min-width:5.5rem;font-size:.85rem;overflow-wrap:anywhere}}\n</style></"
    "head>\n<body>\n<h1>LLM spend";

/* Sorts by the column that is pressed: numbers as numbers; again: the other way round. */
static const char script[] =
    "<script>\nfor (const button of document.querySelectorAll('th button')) button.onclick = () => "
    "{\n"
    "  const cell = button.parentElement, column = cell.cellIndex, body = "
    "cell.closest('table').tBodies[0];\n"
    "  const down = cell.ariaSort !== 'descending';\n"
    "  for (const other of cell.parentElement.cells) other.removeAttribute('aria-sort');\n"
    "  cell.ariaSort = down ? 'descending' : 'ascending';\n"
    "  const value = row => row.cells[column].dataset.v ?? row.cells[column].textContent;\n"
    "  const order = (a, b) => { const x = value(a), y = value(b), n = x - y;\n"
    "    return Number.isNaN(n) ? x.localeCompare(y) : n; };\n"
    "  body.append(...[...body.rows].sort((a, b) => down ? order(b, a) : order(a, "
    "b)));\n};\n</script>\n</body></html>\n";

static void figure_add(struct buf *to, struct slice figure, const char *class)
{
    buf_printf(to, "<td%s data-v=\"" SLICE_FMT "\" title=\"" SLICE_FMT "\">", class,
               SLICE_ARG(figure), SLICE_ARG(figure));
    report_add_short(to, figure);
}

static void change_add(struct buf *to, struct slice change)
{
    const char *class = change.bytes == 0    ? ""
                        : change.p[0] == '-' ? " class=\"down\""
                                             : " class=\"up\"";
    buf_printf(to, "<td%s data-v=\"" SLICE_FMT "\">", class, SLICE_ARG(change));
    report_add_percent(to, change, true);
}

static void row_add(struct buf *to, const struct report_row *row, const struct report_view *view)
{
    buf_add_text(to, "<tr>");
    for (size_t k = 0; k < view->by_count; k++) {
        struct slice key = report_key(row, k, view);
        buf_add_text(to, "<td class=\"k\">");
        show_add_html(to, key.bytes ? key : SLICE("-"));
    }
    figure_add(to, row->sums.spend, "");
    buf_printf(to, "<td data-v=\"" SLICE_FMT "\">", SLICE_ARG(row->sums.share));
    if (row->kind != REPORT_TOTAL && row->sums.share.bytes && row->sums.share.p[0] != '-')
        buf_printf(to, "<meter class=\"less\" max=\"100\" value=\"" SLICE_FMT "\"></meter> ",
                   SLICE_ARG(row->sums.share));
    report_add_percent(to, row->sums.share, false);
    change_add(to, row->sums.change);
    figure_add(to, row->sums.calls, "");
    figure_add(to, row->sums.unpriced, " class=\"less\"");
    figure_add(to, row->sums.doubtful, " class=\"less\"");
    if (report_metered(view->answer)) {
        figure_add(to, row->sums.quantity, "");
    } else {
        figure_add(to, row->sums.input_tokens, " class=\"less\"");
        figure_add(to, row->sums.output_tokens, " class=\"less\"");
    }
    buf_add_char(to, '\n');
}

static void columns_add(struct buf *to, const struct report_view *view)
{
    static const char *const column[] = {"spend USD", "share",    "change",       "calls",
                                         "unpriced",  "doubtful", "input tokens", "output tokens"};
    buf_add_text(to,
                 "<section id=\"groups\"><h2>Groups</h2><div class=\"wide\"><table><thead><tr>");
    for (size_t k = 0; k < view->by_count; k++)
        buf_printf(to, "<th class=\"k\"><button>%s</button>", view->by[k]);
    size_t shown = sizeof(column) / sizeof(column[0]) - (report_metered(view->answer) ? 2 : 0);
    for (size_t c = 0; c < shown; c++)
        buf_printf(to, "<th%s><button>%s</button>", c >= 4 ? " class=\"less\"" : "", column[c]);
    if (report_metered(view->answer)) /* tokens of a meter are its quantity */
        buf_add_text(to, "<th><button>quantity</button>");
    buf_add_text(to, "</tr></thead>\n<tbody>\n");
}

static void total_add(struct buf *to, const struct report_row *total,
                      const struct report_view *view)
{
    for (size_t k = 0; k < view->by_count; k++)
        buf_printf(to, "%s%s", k ? ", " : " by ", view->by[k]);
    buf_add_text(to, "</h1>\n<div class=\"dim\">");
    report_add_period(to, view);
    buf_add_text(to, "</div>\n<div class=\"total\">");
    report_add_short(to, total->sums.spend);
    buf_add_text(to, " USD</div>\n");
}

static void groups_add(struct buf *to, const struct report_view *view,
                       const struct report_row *total)
{
    size_t last = report_rows(view->answer) - 1;
    columns_add(to, view);
    for (size_t i = 0; i < last; i++) {
        struct report_row row = report_row(view->answer, i);
        if (row.kind == REPORT_OTHER)
            buf_add_text(to, "</tbody><tfoot>\n");
        row_add(to, &row, view);
    }
    if (last == 0 || report_row(view->answer, last - 1).kind == REPORT_GROUP)
        buf_add_text(to, "</tbody><tfoot>\n");
    row_add(to, total, view);
    buf_add_text(to, "</tfoot></table></div></section>\n");
}

static void notes_add(struct buf *to, const struct report_view *view)
{
    struct buf notes;
    buf_init(&notes, 1u << 16);
    report_add_notes(&notes, view);
    buf_add_text(to, "<p class=\"dim\" id=\"notes\">");
    for (const char *p = notes.p, *end = p + notes.bytes; notes.bytes && p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t bytes = stop ? (size_t)(stop - p) : (size_t)(end - p);
        show_add_html(to, (struct slice){p, bytes});
        buf_add_text(to, "<br>\n");
        p += bytes + 1;
    }
    buf_add_text(to, "</p>\n");
    buf_free(&notes);
}

void report_add_html(struct buf *to, const struct report_view *view)
{
    struct report_row total = report_row(view->answer, report_rows(view->answer) - 1);
    buf_add_text(to, head);
    total_add(to, &total, view);
    notes_add(to, view);
    report_add_chart(to, report_page_models(view->page), "Spend by model");
    report_add_chart(to, report_page_teams(view->page), "Spend by team");
    groups_add(to, view, &total);
    report_add_movers(to, view->page);
    report_add_meters(to, view->page);
    report_add_suspense(to, view->page);
    buf_add_text(to, script);
}
