/* SPDX-License-Identifier: Apache-2.0 */
/*
 * links: ingest pricing
 *
 * Agreement with LiteLLM: every case of the files given is an event as LiteLLM's own callback
 * emitted it, a configuration, and LiteLLM's own number. Each goes the way of an event: mapping,
 * facts, pricing. Prints agreement by tag; ends 1 when any derivable case disagrees.
 *
 *     agreement [-v] [-q] [-s N] [CASES.jsonl]...     -v: also what does not agree; -q: the sum
 * only; -s: every Nth of the cases with a configuration
 *
 * A result agrees within 1e-9 relative or 1e-15 absolute. "priced": false must be unpriced. LiteLLM
 * logs 0 also for what it cannot price, so unpriced agrees with a 0, in both modes. Mode merge
 * declines where a quantity has no rate and LiteLLM bills that side at 0 (rate_missing). A case
 * tagged "underivable" lacks something LiteLLM priced on, so declining is right, and a figure that
 * is given all the same is counted apart. Override mode: "overrides" of the case, else litellm.
 */
#include "ingest/mapping.h"
#include "pricing/book.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TAGS_MAX 512
#define BATCH_BYTES_MAX (16u << 20)

enum verdict { AGREES, DECLINES, DISAGREES, APPROXIMATES, VERDICT_COUNT };

static struct {
    char name[64];
    unsigned count[VERDICT_COUNT];
} tags[TAGS_MAX];
static size_t tag_count;
static unsigned totals[VERDICT_COUNT];

static void tally_tag(const char *name, enum verdict verdict)
{
    size_t i = 0;
    while (i < tag_count && strcmp(tags[i].name, name) != 0)
        i++;
    if (i == TAGS_MAX)
        return;
    if (i == tag_count)
        snprintf(tags[tag_count++].name, sizeof(tags[i].name), "%s", name);
    tags[i].count[verdict]++;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "agreement: %s: %s\n", what, why);
    exit(2);
}

/* ---- the event's way ---------------------------------------------------------------------------
 */

struct pricing {
    struct pricer *pricer;
    struct charge charge;
    unsigned events;
    char refusal[256]; /* of the mapping */
};

static void on_record(const struct record *record, void *context)
{
    struct pricing *pricing = context;
    if (record->outcome == RECORD_EVENT) {
        pricing->events++;
        pricer_price(pricing->pricer, &record->event->facts, &pricing->charge, NULL);
    } else {
        snprintf(pricing->refusal, sizeof(pricing->refusal), "%s %s",
                 reason_info[record->reason].name, record->detail ? record->detail : "");
    }
}

static char config_path[] = "/tmp/agreement-XXXXXX";

static const char *write_config(const json_t *config)
{
    static int fd = -1;
    const char *path = config_path;
    if (fd < 0)
        fd = mkstemp(config_path);
    if (fd < 0 || ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        die(path, "cannot be written");
    char *text = json_dumps(config, JSON_REAL_PRECISION(15));
    size_t bytes = text ? strlen(text) : 0;
    if (!text || write(fd, text, bytes) != (ssize_t)bytes)
        die(path, "cannot be written");
    free(text);
    return path;
}

static void set_environment(const json_t *env, bool set)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)env, name, value)
    {
        if (set)
            setenv(name, json_string_value(value), 1);
        else
            unsetenv(name);
    }
}

static struct book *load(const json_t *c, enum overrides_mode mode)
{
    const json_t *config = json_object_get(c, "config");
    struct book_options options = {.overrides = mode, .reported_cost = REPORTED_IGNORE};
    struct err err = {0};
    if (json_is_object(config))
        options.litellm_config = write_config(config);
    set_environment(json_object_get(c, "env"), true);
    struct book *book = book_load(&options, NULL, NULL, &err);
    set_environment(json_object_get(c, "env"), false);
    if (!book)
        die(json_string_value(json_object_get(c, "id")), err.text);
    return book;
}

/* ---- one case ----------------------------------------------------------------------------------
 */

static bool close_enough(double got, double want)
{
    return fabs(got - want) <= fmax(1e-15, 1e-9 * fabs(want));
}

static bool is_tagged(const json_t *c, const char *tag)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(c, "tags"), i, value)
    {
        if (strcmp(json_string_value(value), tag) == 0)
            return true;
    }
    return false;
}

/* Mode merge: LiteLLM takes the missing rate for 0, so that side of its bill is 0. */
static bool lacks_rate(const json_t *c, const struct charge *charge)
{
    static const char *const side[] = {"input_cost", "output_cost", "tool_usage_cost"};
    const char *mode = json_string_value(json_object_get(c, "overrides"));
    const json_t *bill = json_object_get(json_object_get(c, "expected"), "cost_breakdown");
    return mode && strcmp(mode, "merge") == 0 && charge->reason == REASON_RATE_MISSING &&
           json_number_value(json_object_get(bill, side[unit_info[charge->missing].side])) == 0;
}

static enum verdict judge(const json_t *c, const struct charge *charge, const char *amount)
{
    const json_t *expected = json_object_get(c, "expected");
    double want = json_number_value(json_object_get(expected, "response_cost"));
    bool priced = json_is_true(json_object_get(expected, "priced"));
    bool agrees = charge->has_spend && close_enough(strtod(amount, NULL), want);
    if (is_tagged(c, "underivable"))
        return !charge->has_spend ? DECLINES : agrees ? AGREES : APPROXIMATES;
    bool no_price = !charge->has_spend && (!priced || want == 0);
    if (no_price || (priced && agrees))
        return AGREES;
    return lacks_rate(c, charge) ? DECLINES : DISAGREES;
}

static void report(const json_t *c, const struct pricing *pricing, const char *amount)
{
    const json_t *event = json_object_get(c, "event"), *expected = json_object_get(c, "expected");
    char *tags_text = json_dumps(json_object_get(c, "tags"), JSON_COMPACT);
    printf("%s: %s %s: %s (%s%s%s), LiteLLM %.17g %s %s\n",
           json_string_value(json_object_get(c, "id")),
           json_string_value(json_object_get(event, "call_type")),
           json_string_value(json_object_get(event, "model")), amount,
           pricing->events ? charge_status_name[pricing->charge.status] : "no event",
           pricing->events ? "" : ": ", pricing->refusal,
           json_number_value(json_object_get(expected, "response_cost")),
           json_is_true(json_object_get(expected, "priced")) ? "" : "unpriced", tags_text);
    free(tags_text);
}

struct run {
    struct mapper *mapper;
    struct arena batch;
    struct book *plain[2]; /* without a configuration, by mode */
    struct pricer *plain_pricer[2];
    bool verbose, quiet;
    unsigned step, configured;
};

static struct pricer *pricer_of(struct run *run, const json_t *c, struct book **own)
{
    const char *overrides = json_string_value(json_object_get(c, "overrides"));
    enum overrides_mode mode =
        overrides && strcmp(overrides, "merge") == 0 ? OVERRIDES_MERGE : OVERRIDES_LITELLM;
    *own = NULL;
    if (json_is_object(json_object_get(c, "config"))) {
        *own = load(c, mode);
        return pricer_new(*own);
    }
    if (!run->plain[mode]) {
        run->plain[mode] = load(c, mode);
        run->plain_pricer[mode] = pricer_new(run->plain[mode]);
    }
    return run->plain_pricer[mode];
}

static void run_case(struct run *run, const json_t *c)
{
    struct pricing pricing = {.events = 0};
    struct book *own;
    char amount[DECIMAL_TEXT_MAX] = "null";
    char *event = json_dumps(json_object_get(c, "event"), JSON_REAL_PRECISION(17));
    struct message message = {.bytes = slice_of(event)};
    size_t i;
    json_t *tag;
    pricing.pricer = pricer_of(run, c, &own);
    if (!pricing.pricer || !event)
        die("case", "out of memory");
    arena_reset(&run->batch);
    mapper_read(run->mapper, &message, &run->batch, on_record, &pricing);
    if (pricing.events == 1 && pricing.charge.has_spend)
        money_format(pricing.charge.spend, amount);
    enum verdict verdict = pricing.events == 1 ? judge(c, &pricing.charge, amount) : DISAGREES;
    totals[verdict]++;
    json_array_foreach(json_object_get(c, "tags"), i, tag)
    {
        tally_tag(json_string_value(tag), verdict);
    }
    if (verdict == DISAGREES || (run->verbose && verdict != AGREES))
        report(c, &pricing, amount);
    if (own) {
        pricer_free(pricing.pricer);
        book_free(own);
    }
    free(event);
}

static void run_file(struct run *run, const char *file)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *in = fopen(file, "r");
    if (!in)
        die(file, "cannot be opened");
    while (getline(&line, &capacity, in) > 0) {
        json_error_t error;
        json_t *c = json_loads(line, 0, &error);
        if (!c)
            die(file, error.text);
        bool configured = json_is_object(json_object_get(c, "config"));
        if (!configured || run->configured++ % run->step == 0)
            run_case(run, c);
        json_decref(c);
    }
    free(line);
    fclose(in);
}

static int tag_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void print_table(bool sum_only)
{
    qsort(tags, tag_count, sizeof(tags[0]), tag_order);
    printf("%-32s %8s %9s %10s %8s\n", "tag", "agrees", "declines", "disagrees", "approx.");
    for (size_t i = 0; !sum_only && i < tag_count; i++)
        printf("%-32s %8u %9u %10u %8u\n", tags[i].name, tags[i].count[AGREES],
               tags[i].count[DECLINES], tags[i].count[DISAGREES], tags[i].count[APPROXIMATES]);
    printf("%-32s %8u %9u %10u %8u\n", "all cases", totals[AGREES], totals[DECLINES],
           totals[DISAGREES], totals[APPROXIMATES]);
}

static void read_options(struct run *run, int argc, char **argv)
{
    int option;
    run->step = 1;
    while ((option = getopt(argc, argv, "vqs:")) != -1) {
        run->verbose |= option == 'v';
        run->quiet |= option == 'q';
        if (option == 's')
            run->step = (unsigned)strtoul(optarg, NULL, 10);
        if (option == '?' || run->step == 0)
            die("usage", "agreement [-v] [-q] [-s N] [CASES.jsonl]...");
    }
}

int main(int argc, char **argv)
{
    static const char *const mapping[] = {"litellm"};
    struct err err = {0};
    struct run run = {0};
    read_options(&run, argc, argv);
    struct mappings *set = mappings_compile(mapping, 1, NULL, &err);
    if (!set)
        die("mapping", err.text);
    run.mapper = mapper_new(set);
    arena_init(&run.batch, BATCH_BYTES_MAX);
    for (int i = optind; i < argc; i++)
        run_file(&run, argv[i]);
    print_table(run.quiet);
    for (size_t i = 0; i < 2; i++) {
        pricer_free(run.plain_pricer[i]);
        book_free(run.plain[i]);
    }
    arena_free(&run.batch);
    mapper_free(run.mapper);
    mappings_free(set);
    unlink(config_path);
    return totals[DISAGREES] || !totals[AGREES] ? 1 : 0;
}
