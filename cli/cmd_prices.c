/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog prices: the rates of a model with where each comes from; what moved between two files;
 * the table of providers. */
#include "cli/command.h"
#include "cli/imports.h"
#include "cli/providers_print.h"

#include "core/show.h"

#include "pricing/diff.h"

#include <string.h>

static struct {
    const char *effective_from;
    bool json;
} options;

const struct option_row prices_options[] = {
    {"effective-from", 0, "TIME",
     "import: from when on the map holds (2026-11-01, or RFC 3339), UTC", OPTION_TEXT,
     &options.effective_from},
    {"json", 0, NULL, "one JSON object per line", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use prices_uses[] = {
    {"effective-from", "import", NULL},
    {"json", "show diff providers", NULL},
    {"cost-map", "show diff", NULL},
    {"overrides", "show diff", NULL},
    {0},
};

static void line_print(const char *text, void *context)
{
    (void)context;
    show_line(stdout, "%s", text);
}

static int show(const struct config *config, const char *model, struct err *err)
{
    struct book_options book_options;
    if (!book_options_of(config, &book_options, err))
        return fail(err);
    book_options.whole_maps = true;
    struct book *book = book_load(&book_options, NULL, NULL, err);
    if (!book)
        return fail(err);
    if (!prices_show(book, slice_of(model), options.json, line_print, NULL))
        err_set(err, ERR_INPUT, "no price for \"%s\" in the cost map or the configuration", model);
    book_free(book);
    return err->kind == ERR_NONE ? 0 : fail(err);
}

static int diff(const struct config *config, const char *old_file, const char *new_file,
                struct err *err)
{
    struct book_options book_options;
    struct diff_counts counts = {0};
    if (!book_options_of(config, &book_options, err) ||
        !prices_diff(&book_options, old_file, new_file, options.json, line_print, NULL, &counts,
                     err))
        return fail(err);
    if (!options.json)
        printf("%zu moved, %zu added, %zu removed, %zu of them by more than 10x\n", counts.moved,
               counts.added, counts.removed, counts.large);
    return counts.moved + counts.added + counts.removed > 0 ? EXIT_DIFFERENCES : 0;
}

static int import(const struct config *config, const char *file, struct err *err)
{
    struct imports imports;
    const char *path;
    int64_t from_us = 0;
    if (!options.effective_from)
        err_set(err, ERR_USAGE, "import needs --effective-from TIME");
    if (err->kind != ERR_NONE ||
        !option_time("effective-from", options.effective_from, &from_us, err))
        return fail(err);
    bool ok = imports_add(&imports, config, file, from_us, &path, err);
    if (ok)
        show_line(stdout,
                  "kept as %s; a running service takes it over with pricing.watch, SIGHUP or "
                  "`spendlog reload`",
                  path);
    imports_free(&imports);
    return ok ? 0 : fail(err);
}

int begin_prices(const struct command *command, const struct operands *given)
{
    if (operands_are(given, "providers", 1)) {
        providers_print(options.json);
        return 0;
    }
    if (!operands_are(given, "show", 2) && !operands_are(given, "import", 2) &&
        !operands_are(given, "diff", 3))
        return usage_error(command, "give: show MODEL, diff OLD NEW, import FILE, or providers");
    return GO_ON;
}

int cmd_prices(const struct config *config, const struct operands *given, struct err *err)
{
    if (operands_are(given, "show", 2))
        return show(config, given->text[1], err);
    return operands_are(given, "import", 2) ? import(config, given->text[1], err)
                                            : diff(config, given->text[1], given->text[2], err);
}
