/* SPDX-License-Identifier: Apache-2.0 */
/* spendlog status and spendlog reload: ask a running service by its control socket. */
#include "cli/command.h"

#include "core/show.h"
#include "run/control.h"

#include <jansson.h>
#include <string.h>

#define ANSWER_BYTES (16u << 20)

static struct {
    bool json;
} options;

const struct option_row status_options[] = {
    {"json", 0, NULL, "one JSON object", OPTION_FLAG, &options.json},
    {0},
};

const struct option_row reload_options[] = {{0}};

/* --- for people ------------------------------------------------------------------------------ */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static long long int_of(const json_t *object, const char *name)
{
    return (long long)json_number_value(json_object_get(object, name));
}

static void age_print(const char *what, const json_t *age)
{
    if (json_is_number(age))
        printf("%s: %.0f s ago\n", what, json_number_value(age));
    else
        printf("%s: none yet\n", what);
}

static void lanes_print(const json_t *lanes)
{
    size_t i;
    json_t *lane;
    json_array_foreach(lanes, i, lane)
    {
        const char *why = text_of(lane, "waits_for");
        show_line(stdout, "lane %lld: %s, %lld partitions%s%s", int_of(lane, "lane"),
                  text_of(lane, "state"), int_of(lane, "partitions"), *why ? "; " : "", why);
    }
}

static void partitions_print(const json_t *partitions)
{
    size_t i;
    json_t *p;
    json_array_foreach(partitions, i, p)
    {
        char lag[32] = "unknown";
        if (json_is_integer(json_object_get(p, "lag")))
            snprintf(lag, sizeof(lag), "%lld", int_of(p, "lag"));
        show_line(stdout, "  %s/%lld: next offset %lld, lag %s", text_of(p, "topic"),
                  int_of(p, "partition"), int_of(p, "next_offset"), lag);
    }
}

static void caches_print(const json_t *caches)
{
    for (size_t i = 0; i < json_array_size(caches); i++) {
        const json_t *c = json_array_get(caches, i);
        show_line(stdout,
                  "lane %lld remembers %lld keys of rows, %lld shared calls and %lld callers, %lld "
                  "days, %lld names with their prices (%lld MB); holds a batch of %lld MB, %lld "
                  "messages of %lld MB",
                  int_of(c, "lane"), int_of(c, "recent_keys"), int_of(c, "shared_calls"),
                  int_of(c, "shared_callers"), int_of(c, "days"), int_of(c, "names"),
                  int_of(c, "names_bytes") >> 20, int_of(c, "batch_bytes") >> 20,
                  int_of(c, "queued_messages"), int_of(c, "queued_bytes") >> 20);
    }
}

static void sums_print(const json_t *sums)
{
    if (json_is_object(sums))
        printf("sums: %lld deltas not merged yet, merged last %lld s ago\n",
               int_of(sums, "unmerged"), int_of(sums, "merge_age_s"));
    else
        puts("sums: the database was not asked yet");
}

static void status_print(const json_t *status)
{
    const json_t *book = json_object_get(status, "price_book");
    const char *why = text_of(status, "why_not");
    show_line(stdout, "spendlog %s, pid %lld, group %s: %s%s", text_of(status, "version"),
              int_of(status, "pid"), text_of(status, "group"), *why ? "not ready: " : "ready", why);
    lanes_print(json_object_get(status, "lanes"));
    partitions_print(json_object_get(status, "partitions"));
    age_print("last commit", json_object_get(status, "commit_age_s"));
    age_print("newest call", json_object_get(status, "newest_event_age_s"));
    printf("since the start, %lld s ago: %lld messages, %lld rows, %lld duplicates, %lld rejected, "
           "%lld skipped; %lld batches, %lld recoveries, %lld gaps\n",
           int_of(status, "uptime_s"), int_of(status, "messages"), int_of(status, "rows"),
           int_of(status, "duplicates"), int_of(status, "rejected"), int_of(status, "skipped"),
           int_of(status, "batches"), int_of(status, "recoveries"), int_of(status, "gaps"));
    show_line(stdout, "price book %s, loaded %s, %lld reloads failed", text_of(book, "id"),
              text_of(book, "loaded_at"), int_of(book, "reload_failures"));
    sums_print(json_object_get(status, "sums"));
    caches_print(json_object_get(status, "caches"));
    printf("memory: %lld MB, at most %lld MB so far\n", int_of(status, "memory_bytes") >> 20,
           int_of(status, "memory_peak_bytes") >> 20);
}

/* --- both ------------------------------------------------------------------------------------ */

static json_t *ask(const struct config *config, const char *word, struct buf *answer,
                   struct err *err)
{
    if (!control_ask(config->control_socket, word, answer, err)) {
        config_blame(config, "control.socket", err);
        return NULL;
    }
    json_t *object = json_loadb(answer->p, answer->bytes, 0, NULL);
    if (!object)
        err_set(err, ERR_FATAL, "%s: the answer cannot be read", config->control_socket);
    return object;
}

int cmd_status(const struct config *config, const struct operands *given, struct err *err)
{
    struct buf answer;
    (void)given;
    buf_init(&answer, ANSWER_BYTES);
    json_t *object = ask(config, "status", &answer, err);
    if (object && options.json)
        show_buf(stdout, &answer);
    else if (object)
        status_print(object);
    int code = object ? 0 : fail(err);
    json_decref(object);
    buf_free(&answer);
    return code;
}

int cmd_reload(const struct config *config, const struct operands *given, struct err *err)
{
    struct buf answer;
    (void)given;
    buf_init(&answer, ANSWER_BYTES);
    json_t *object = ask(config, "reload", &answer, err);
    if (object && json_is_true(json_object_get(object, "ok")))
        show_line(stdout, "%s", text_of(object, "said"));
    else if (object)
        err_set(err, ERR_CONFIG, "not loaded, the old prices stay: %s", text_of(object, "said"));
    json_decref(object);
    buf_free(&answer);
    return err->kind == ERR_NONE ? 0 : fail(err);
}
