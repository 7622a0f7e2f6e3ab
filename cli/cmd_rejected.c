/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog rejected: what could not be read, and reading it again after a mapping was fixed. */
#include "cli/command.h"
#include "cli/result.h"
#include "run/retry.h"

#include "core/envelope.h"
#include "core/show.h"
#include "core/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (96u << 20)

static struct {
    const char *topic, *reason, *mapping, *since, *until, *limit;
    bool json, all, payload;
} options;

const struct option_row rejected_options[] = {
    {"topic", 0, "NAME", "only of this topic", OPTION_TEXT, &options.topic},
    {"reason", 0, "NAME", "only with this reason", OPTION_TEXT, &options.reason},
    {"for", 0, "MAPPING", "only those that this mapping had taken", OPTION_TEXT, &options.mapping},
    {"since", 0, "TIME", "rejected at or after", OPTION_TEXT, &options.since},
    {"until", 0, "TIME", "rejected before", OPTION_TEXT, &options.until},
    {"limit", 0, "N", "at most so many", OPTION_TEXT, &options.limit},
    {"all", 0, NULL, "also those that a retry could read", OPTION_FLAG, &options.all},
    {"payload", 0, NULL, "show: with the message itself; for a spendlog_writer", OPTION_FLAG,
     &options.payload},
    {"json", 0, NULL, "one JSON object per event", OPTION_FLAG, &options.json},
    {0},
};

const struct option_use rejected_uses[] = {
    {"payload", "show", NULL},
    {"json", "list show", NULL},
    {"all", "list", NULL},
    {"topic", "list retry", NULL},
    {0},
};

static void text(struct buf *line, const char *name, struct slice value)
{
    if (value.bytes > 0)
        result_text(line, name, value);
    else
        result_null(line, name);
}

/* JSON is UTF-8, a message may be anything: bytes that are none are told as NAME_hex. */
static void bytes_json(struct buf *line, const char *name, struct slice bytes)
{
    if (!bytes.p || utf8_valid(bytes)) {
        if (bytes.p)
            result_text(line, name, bytes);
        else
            result_null(line, name);
        return;
    }
    buf_printf(line, "%s\"%s_hex\":\"", line->p[line->bytes - 1] == '{' ? "" : ",", name);
    for (size_t i = 0; i < bytes.bytes; i++)
        buf_printf(line, "%02x", (unsigned char)bytes.p[i]);
    buf_add_char(line, '"');
}

static void envelope_json(struct buf *line, struct slice bytes)
{
    struct header headers[HEADERS_MAX];
    struct envelope envelope;
    if (!bytes.p || !envelope_read(bytes, headers, &envelope))
        return;
    bytes_json(line, "message_key", envelope.key);
    buf_add_text(line, ",\"headers\":[");
    for (size_t i = 0; i < envelope.header_count; i++) {
        buf_add_text(line, i ? ",{" : "{");
        bytes_json(line, "name", envelope.headers[i].name);
        bytes_json(line, "value", envelope.headers[i].value);
        buf_add_char(line, '}');
    }
    buf_add_char(line, ']');
}

static void event_json(const struct rejected_event *event, bool payload)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    buf_add_char(&line, '{');
    result_text(&line, "topic", event->topic);
    result_int(&line, "partition", event->partition);
    result_int(&line, "incarnation", event->incarnation);
    result_int(&line, "offset", event->kafka_offset);
    result_int(&line, "index", event->record_index);
    result_text(&line, "reason", event->reason);
    text(&line, "detail", event->detail);
    text(&line, "mapping", event->mapping);
    text(&line, "field", event->field);
    if (event->byte >= 0)
        result_int(&line, "byte", event->byte);
    if (event->message_ms >= 0)
        result_time(&line, "message_time", event->message_ms * 1000);
    result_time(&line, "rejected_at", event->rejected_at_us);
    text(&line, "resolution", event->resolution);
    result_int(&line, "payload_bytes", event->payload_bytes);
    if (event->key.bytes > 0)
        result_text(&line, "key", event->key);
    if (payload && event->payload.p)
        bytes_json(&line, "payload", event->payload);
    if (payload)
        envelope_json(&line, event->envelope);
    result_print(&line);
    buf_free(&line);
}

static void line_out(struct buf *line)
{
    show_buf(stdout, line);
    buf_free(line);
}

static void named(struct buf *line, const char *what, struct slice name)
{
    if (name.bytes == 0)
        return;
    buf_add_text(line, what);
    show_add(line, name);
    buf_add_char(line, '\n');
}

static bool on_listed(const struct rejected_event *event, void *context)
{
    struct buf line;
    (void)context;
    if (options.json) {
        event_json(event, false);
        return true;
    }
    buf_init(&line, LINE_MAX_BYTES);
    show_add(&line, event->topic);
    buf_printf(&line, "/%d/%lld/%u  " SLICE_FMT "  ", (int)event->partition,
               (long long)event->kafka_offset, event->record_index, SLICE_ARG(event->reason));
    show_add(&line, event->detail);
    buf_printf(&line, "%s\n", event->resolution.bytes > 0 ? "  (read by a retry)" : "");
    line_out(&line);
    return true;
}

static void envelope_add(struct buf *line, struct slice bytes)
{
    struct header headers[HEADERS_MAX];
    struct envelope envelope;
    if (!bytes.p || !envelope_read(bytes, headers, &envelope))
        return;
    named(line, "key ", envelope.key);
    for (size_t i = 0; i < envelope.header_count; i++) {
        buf_add_text(line, "header ");
        show_add(line, envelope.headers[i].name);
        buf_add_text(line, ": ");
        show_add(line, envelope.headers[i].value.p ? envelope.headers[i].value : SLICE("(none)"));
        buf_add_char(line, '\n');
    }
}

/* The message as it is: whoever asks for it wants its bytes. */
static void payload_add(struct buf *line, const struct rejected_event *event)
{
    if (event->has_payload && options.payload && event->locked)
        buf_printf(line, "payload of %lld bytes: %s\n", (long long)event->payload_bytes,
                   event->locked);
    else if (event->has_payload && options.payload) {
        buf_printf(line, "payload (%lld bytes):\n", (long long)event->payload_bytes);
        buf_add(line, event->payload);
        buf_add_char(line, '\n');
    } else if (event->has_payload)
        buf_printf(line, "payload of %lld bytes: --payload shows it\n",
                   (long long)event->payload_bytes);
    else
        buf_printf(line, "payload not %s: %lld bytes, XXH3-64 %016llx\n",
                   event->detail.p ? "kept" : "shown to this login",
                   (long long)event->payload_bytes, (unsigned long long)event->payload_hash);
}

struct shown {
    bool found;
    struct err locked; /* the message is there and no key opens it */
};

static bool on_shown(const struct rejected_event *event, void *context)
{
    struct shown *shown = context;
    struct buf line;
    shown->found = true;
    if (event->locked && options.payload)
        err_set(&shown->locked, ERR_CONFIG, "the message is %s", event->locked);
    if (options.json) {
        event_json(event, options.payload);
        return true;
    }
    buf_init(&line, LINE_MAX_BYTES);
    buf_add_text(&line, "topic ");
    show_add(&line, event->topic);
    buf_printf(&line, ", partition %d, offset %lld, record %u\nreason " SLICE_FMT,
               (int)event->partition, (long long)event->kafka_offset, event->record_index,
               SLICE_ARG(event->reason));
    named(&line, ": ", event->detail.bytes ? event->detail : SLICE("(no detail)"));
    named(&line, "mapping ", event->mapping);
    named(&line, "field ", event->field);
    if (event->byte >= 0)
        buf_printf(&line, "byte %lld\n", (long long)event->byte);
    if (options.payload)
        envelope_add(&line, event->envelope);
    payload_add(&line, event);
    line_out(&line);
    return true;
}

/* Digits and nothing else, up to max. */
static bool part_parse(const char *text, int64_t max, int64_t *out)
{
    if (!text || !text[0] || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == 0 && *out <= max;
}

/* "TOPIC/PARTITION/OFFSET[/INDEX]", as the list prints it; topics hold no slash. */
static bool id_parse(char *id, struct rejected_filter *filter)
{
    char *rest = id;
    int64_t partition, index = 0;
    filter->topic = strsep(&rest, "/");
    const char *partition_text = strsep(&rest, "/"), *offset = strsep(&rest, "/");
    filter->one_record = rest != NULL;
    if (!filter->topic[0] || !part_parse(partition_text, INT32_MAX, &partition) ||
        !part_parse(offset, INT64_MAX, &filter->kafka_offset) ||
        (rest && !part_parse(rest, INT32_MAX, &index)))
        return false;
    filter->partition = (int32_t)partition;
    filter->record_index = (unsigned)index;
    return true;
}

static bool filter_fill(struct rejected_filter *filter, struct err *err)
{
    char *end = NULL;
    *filter = (struct rejected_filter){
        .topic = options.topic,
        .reason = options.reason,
        .mapping = options.mapping,
        .partition = -1,
        .kafka_offset = -1,
        .since_us = INT64_MIN,
        .until_us = INT64_MAX,
        .resolved_too = options.all,
    };
    if (options.limit) {
        unsigned long limit = strtoul(options.limit, &end, 10);
        if (*end || limit == 0 || limit > UINT32_MAX)
            return err_set(err, ERR_USAGE, "--limit: \"%s\" is not a number from 1 on",
                           options.limit);
        filter->limit = (unsigned)limit;
    }
    return option_time("since", options.since, &filter->since_us, err) &&
           option_time("until", options.until, &filter->until_us, err);
}

static int show(const struct config *config, struct rejected_filter *filter, char *id,
                struct err *err)
{
    struct shown shown = {0};
    char *copy = strdup(id);
    if (!copy || !id_parse(copy, filter)) {
        free(copy);
        err_set(err, ERR_USAGE,
                "\"%s\" is not TOPIC/PARTITION/OFFSET or TOPIC/PARTITION/OFFSET/INDEX", id);
        return fail(err);
    }
    filter->payloads = options.payload;
    filter->resolved_too = true;
    bool ok = rejected_list(config->postgres, filter, on_shown, &shown, err);
    if (ok && !shown.found)
        ok = err_set(err, ERR_INPUT, "nothing was rejected at %s", id);
    free(copy);
    if (ok && shown.locked.kind != ERR_NONE)
        return fail(&shown.locked);
    return ok ? 0 : fail(err);
}

static int retry(const struct config *config, const struct rejected_filter *filter, struct err *err)
{
    struct retry_counts counts = {0};
    if (!config_ready(config, CONFIG_RETRY, err))
        return fail(err);
    struct book *book = book_open(config, NULL, NULL, err);
    bool ok = book && retry_run(config, book, filter, &counts, err);
    book_free(book);
    if (!ok)
        return fail(err);
    printf("%lld tried: %lld read, %lld skipped, %lld still rejected, %lld without a payload or "
           "a topic\n",
           counts.tried, counts.rows, counts.skipped, counts.still_rejected,
           counts.without_payload);
    if (counts.left.beyond > 0)
        printf("%lld more are left by --limit\n", (long long)counts.left.beyond);
    if (counts.left.of_others > 0)
        printf("%lld are of other consumer groups: a configuration retries those of its own "
               "group.id\n",
               (long long)counts.left.of_others);
    if (counts.locked == 0)
        return 0;
    err_set(err, ERR_CONFIG, "%lld not tried: the last one is %s", counts.locked,
            counts.locked_why);
    return fail(err);
}

int begin_rejected(const struct command *command, const struct operands *given)
{
    struct rejected_filter filter;
    struct err err = {0};
    if (!operands_are(given, "show", 2) && !operands_are(given, "list", 1) &&
        !operands_are(given, "retry", 1))
        return usage_error(command, "give: list, or: show TOPIC/PARTITION/OFFSET, or: retry");
    return filter_fill(&filter, &err) ? GO_ON : fail(&err);
}

int cmd_rejected(const struct config *config, const struct operands *given, struct err *err)
{
    struct rejected_filter filter;
    if (!filter_fill(&filter, err))
        return fail(err);
    filter.keys = &config->payload_keys;
    if (operands_are(given, "list", 1))
        return rejected_list(config->postgres, &filter, on_listed, NULL, err) ? 0 : fail(err);
    return operands_are(given, "retry", 1) ? retry(config, &filter, err)
                                           : show(config, &filter, given->text[1], err);
}
