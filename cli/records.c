/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop that `price` and `map` share: a message goes through the mapper, each of its records
 * through the pricer, and out comes one line a record.
 */
#include "cli/records.h"

#include "core/show.h"

#include <errno.h>
#include <string.h>

#define ARENA_MAX_BYTES (64u << 20)

struct run {
    struct records *records;
    struct mapper *mapper;
    struct arena arena;
    struct kcat kcat;
    struct buf line;
    struct buf
        rest; /* the first record of a message waits: it has an index only if a second comes */
    const struct input_message *message;
    unsigned count; /* records of the message so far */
    bool failed;
    struct err *err; /* ERR_UNAVAILABLE: the schema registry is away */
};

static void line_out(struct run *run, int64_t index)
{
    buf_reset(&run->line);
    result_open(&run->line, run->message, run->records->file_count > 1, index);
    buf_add_char(&run->line, ',');
    buf_add_buf(&run->line, &run->rest);
    result_print(&run->line);
    run->failed |= show_left_out() || ferror(stdout);
}

void records_judge(const struct sanity_limits *limits, const struct record *record,
                   const struct charge *charge, struct record *shown, struct implausible *why)
{
    *shown = *record;
    if (record->outcome != RECORD_EVENT || sanity_holds(limits, &record->event->facts, charge, why))
        return;
    shown->outcome = RECORD_REJECTED;
    shown->reason = REASON_IMPLAUSIBLE;
    shown->detail = why->detail;
    shown->field = why->field;
    shown->byte = -1;
}

static void record_print(struct run *run, const struct record *record)
{
    struct records *records = run->records;
    struct record shown;
    struct charge charge;
    struct implausible why;
    bool priced = record->outcome == RECORD_EVENT && records->pricer;
    if (priced)
        pricer_price(records->pricer, &record->event->facts, &charge, NULL);
    records_judge(records->limits, record, priced ? &charge : NULL, &shown, &why);
    records->print(&run->rest, &shown, priced ? &charge : NULL, run->mapper);
    records->rejected |= shown.outcome == RECORD_REJECTED;
}

static void on_record(const struct record *record, void *context)
{
    struct run *run = context;
    if (run->count == 1)
        line_out(run, 0);
    buf_reset(&run->rest);
    record_print(run, record);
    if (run->count++ > 0)
        line_out(run, record->index);
}

bool records_message(const struct input_message *input, struct kcat *kcat, struct mapper *mapper,
                     struct arena *arena, struct message *m, struct err *err)
{
    if (!kcat_read(input->bytes, kcat, m, arena))
        *m = (struct message){.bytes = input->bytes};
    return mapper_ready(mapper, m->bytes, err);
}

static bool on_message(const struct input_message *message, void *context)
{
    struct run *run = context;
    struct message m;
    run->message = message;
    run->count = 0;
    arena_reset(&run->arena);
    if (!records_message(message, &run->kcat, run->mapper, &run->arena, &m, run->err))
        return false;
    mapper_read(run->mapper, &m, &run->arena, on_record, run);
    if (run->count == 1)
        line_out(run, -1);
    return !run->failed;
}

bool records_run(struct records *records, struct err *err)
{
    struct run run = {.records = records, .mapper = mapper_new(records->mappings), .err = err};
    if (!run.mapper)
        return err_set(err, ERR_FATAL, "out of memory");
    arena_init(&run.arena, ARENA_MAX_BYTES);
    buf_init(&run.line, RESULT_LINE_MAX_BYTES);
    buf_init(&run.rest, RESULT_LINE_MAX_BYTES);
    bool ok = input_read(records->files, records->file_count, on_message, &run, err);
    ok = ok && err->kind == ERR_NONE;
    if (show_left_out())
        ok = err_set(err, ERR_FATAL, "a record takes a line of more than %u MiB, or memory lacks",
                     RESULT_LINE_MAX_BYTES >> 20);
    else if (run.failed || fflush(stdout) != 0)
        ok = err_set(err, ERR_FATAL, "standard output: %s", strerror(errno));
    buf_free(&run.rest);
    buf_free(&run.line);
    arena_free(&run.arena);
    mapper_free(run.mapper);
    return ok;
}
