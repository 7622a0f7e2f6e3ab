/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests are made by libcurl in the lane's own thread. A schema is asked for once, with all that
 * it refers to, and kept for the life of the process; an id that is not known is remembered for a
 * while, so that it is not asked for with each message.
 */
#include "ingest/registry.h"

#include "core/base64.h"
#include "core/big_endian.h"
#include "core/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 1500L
#define REQUEST_TIMEOUT_MS 3000L
#define ANSWER_BYTES_MAX (8u << 20)
#define SCHEMAS_MAX 4096
#define ABSENT_KEPT 256      /* ids that the registry does not know */
#define ABSENT_KEPT_MS 60000 /* then it is asked for one again */
#define FILES_MAX 64         /* of a Protobuf schema with all that it imports */
#define PATH_BYTES 1024

struct entry {
    uint32_t id;
    struct schema schema;
    struct entry *next;
};

struct registry {
    char *url, *credentials, *ca;
    const atomic_bool *stop;
    pthread_mutex_t asking; /* held over a request, so that an id is asked for once; of curl */
    CURL *curl;
    struct curl_slist *accept;
    pthread_mutex_t mutex; /* of what is known: nobody waits for a request to read it */
    struct entry *entries; /* newest first; none is freed before the registry */
    size_t count;
    struct {
        uint32_t id;
        int64_t until_ms;
    } absent[ABSENT_KEPT];
    size_t next_absent;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool registry_frame(struct slice message, uint32_t *id)
{
    const unsigned char *p = (const unsigned char *)message.p;
    if (message.bytes < 5 || p[0] != 0)
        return false;
    *id = get_be32(message.p + 1);
    for (size_t i = 5; i < message.bytes; i++) {
        if (p[i] == '{' || p[i] == '[')
            return false;
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
            break;
    }
    return true;
}

/* --- HTTP ------------------------------------------------------------------------------------ */

static size_t on_bytes(char *p, size_t size, size_t count, void *context)
{
    struct buf *answer = context;
    buf_add(answer, (struct slice){p, size * count});
    return buf_ok(answer) ? size * count : 0;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct registry *registry = context;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return registry->stop && atomic_load(registry->stop);
}

static bool curl_prepare(struct registry *registry, struct err *err)
{
    CURL *curl = registry->curl = curl_easy_init();
    registry->accept = curl_slist_append(NULL, "Accept: application/vnd.schemaregistry.v1+json");
    if (!curl || !registry->accept)
        return err_set(err, ERR_FATAL, "out of memory");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, REQUEST_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, registry->accept);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, registry);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "spendlog/" SPENDLOG_VERSION);
    if (registry->credentials)
        curl_easy_setopt(curl, CURLOPT_USERPWD, registry->credentials);
    if (registry->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, registry->ca);
    return true;
}

/* The registry says itself that there is no such schema: 40401 to 40403, subject, version, schema.
 * Any other 404 is a wrong path or somebody else's answer, and says nothing about the schema. */
static bool says_absent(const struct buf *answer)
{
    json_error_t error;
    json_t *json = json_loadb(answer->p, answer->bytes, 0, &error);
    json_int_t code = json_integer_value(json_object_get(json, "error_code"));
    json_decref(json);
    return code >= 40401 && code <= 40403;
}

/* The answer as JSON, to be released; NULL: `absent`, or the error: ERR_INPUT is one that no later
 * question mends. */
static json_t *ask(struct registry *registry, const char *path, bool *absent, struct err *err)
{
    char url[PATH_BYTES];
    long status = 0;
    struct buf answer;
    json_error_t error;
    *absent = false;
    snprintf(url, sizeof url, "%s%s", registry->url, path);
    buf_init(&answer, ANSWER_BYTES_MAX);
    curl_easy_setopt(registry->curl, CURLOPT_URL, url);
    curl_easy_setopt(registry->curl, CURLOPT_WRITEDATA, &answer);
    CURLcode code = curl_easy_perform(registry->curl);
    curl_easy_getinfo(registry->curl, CURLINFO_RESPONSE_CODE, &status);
    json_t *json =
        code == CURLE_OK && status == 200 ? json_loadb(answer.p, answer.bytes, 0, &error) : NULL;
    *absent = code == CURLE_OK && status == 404 && says_absent(&answer);
    if (code == CURLE_WRITE_ERROR && status == 200)
        err_set(err, ERR_INPUT, "the registry's answer is larger than %u MiB",
                ANSWER_BYTES_MAX >> 20);
    else if (code != CURLE_OK)
        err_set(err, ERR_UNAVAILABLE, "schema registry: %s", curl_easy_strerror(code));
    else if (!json && !*absent)
        err_set(err, ERR_UNAVAILABLE, "schema registry: status %ld for %s", status, path);
    buf_free(&answer);
    return json;
}

/* --- what it answers -------------------------------------------------------------------------- */

static void broken(struct schema *schema, const char *why)
{
    schema->kind = SCHEMA_BROKEN;
    snprintf(schema->why, sizeof schema->why, "%.*s", (int)sizeof schema->why - 1, why);
}

static struct slice text_of_member(const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);
    return (struct slice){json_string_value(text), json_string_length(text)};
}

static json_t *ask_format(struct registry *registry, uint32_t id, const char *format, bool *absent,
                          struct err *err)
{
    char path[64];
    snprintf(path, sizeof path, "/schemas/ids/%u%s", (unsigned)id, format);
    return ask(registry, path, absent, err);
}

/* References are written into the schema when it is asked for so. */
static bool avro_answer(struct registry *registry, uint32_t id, const json_t *answer,
                        struct schema *schema, struct err *err)
{
    struct err bad = {0};
    bool absent = false;
    json_t *resolved = NULL;
    if (json_array_size(json_object_get(answer, "references")) > 0) {
        resolved = ask_format(registry, id, "?format=resolved", &absent, err);
        if (!resolved && !absent)
            return false;
    }
    schema->kind = SCHEMA_AVRO;
    schema->avro = schema_avro_new(text_of_member(resolved ? resolved : answer, "schema"), &bad);
    if (!schema->avro)
        broken(schema, bad.text);
    json_decref(resolved);
    return true;
}

/* A FileDescriptorProto is given in base64 when it is asked for so. Files import each other by
 * names, each of which is asked for once. */
struct files {
    struct slice file[FILES_MAX];
    char *name[FILES_MAX];
    size_t count, name_count;
};

static void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free((void *)(uintptr_t)files->file[i].p);
    for (size_t i = 0; i < files->name_count; i++)
        free(files->name[i]);
}

static bool file_decode(struct slice text, struct slice *file)
{
    char *out = malloc(base64_room(text.bytes));
    *file = (struct slice){out, 0};
    return out && base64_decode(text, out, &file->bytes) && file->bytes > 0;
}

static bool files_ask(struct registry *registry, uint32_t id, const json_t *references,
                      struct files *files, struct err *err);

/* false in *is_new: it was asked for. */
static bool name_note(struct files *files, const json_t *reference, bool *is_new, struct err *err)
{
    const char *name = json_string_value(json_object_get(reference, "name"));
    name = name ? name : "";
    for (size_t i = 0; i < files->name_count; i++)
        if (strcmp(files->name[i], name) == 0)
            return !(*is_new = false);
    if (files->name_count == FILES_MAX - 1) /* and the schema's own */
        return err_set(err, ERR_INPUT, "more than %d files with all that it imports", FILES_MAX);
    char *copy = files->name[files->name_count] = strdup(name);
    files->name_count += copy != NULL;
    *is_new = copy != NULL;
    return copy || err_set(err, ERR_FATAL, "out of memory");
}

static bool reference_ask(struct registry *registry, const json_t *reference, struct files *files,
                          struct err *err)
{
    char path[PATH_BYTES / 2];
    bool absent, is_new;
    if (!name_note(files, reference, &is_new, err))
        return false;
    if (!is_new)
        return true;
    const char *name = json_string_value(json_object_get(reference, "subject"));
    if (!name)
        return err_set(err, ERR_INPUT, "a reference of the schema names no subject");
    char *subject = curl_easy_escape(registry->curl, name, 0);
    int bytes = snprintf(path, sizeof path, "/subjects/%s/versions/%lld", subject ? subject : "",
                         (long long)json_integer_value(json_object_get(reference, "version")));
    curl_free(subject);
    if ((size_t)bytes >= sizeof path)
        return err_set(err, ERR_INPUT, "a reference of the schema names a subject of %zu bytes",
                       strlen(name));
    json_t *answer = ask(registry, path, &absent, err);
    if (!answer)
        return absent;
    bool ok = files_ask(registry, (uint32_t)json_integer_value(json_object_get(answer, "id")),
                        json_object_get(answer, "references"), files, err);
    json_decref(answer);
    return ok;
}

static bool files_ask(struct registry *registry, uint32_t id, const json_t *references,
                      struct files *files, struct err *err)
{
    bool absent, ok = true;
    json_t *answer = ask_format(registry, id, "?format=serialized", &absent, err);
    if (!answer)
        return absent;
    if (file_decode(text_of_member(answer, "schema"), &files->file[files->count]))
        files->count++;
    else
        free((void *)(uintptr_t)files->file[files->count].p);
    for (size_t i = 0; ok && i < json_array_size(references); i++)
        ok = reference_ask(registry, json_array_get(references, i), files, err);
    json_decref(answer);
    return ok;
}

static bool protobuf_answer(struct registry *registry, uint32_t id, const json_t *answer,
                            struct schema *schema, struct err *err)
{
    struct files files = {.count = 0};
    struct err bad = {0};
    bool ok = files_ask(registry, id, json_object_get(answer, "references"), &files, err);
    if (ok) {
        schema->kind = SCHEMA_PROTOBUF;
        schema->protobuf = schema_protobuf_new(files.file, files.count, &bad);
        if (!schema->protobuf)
            broken(schema, bad.text);
    }
    files_free(&files);
    return ok;
}

static bool answer_ask(struct registry *registry, uint32_t id, struct schema *schema,
                       struct err *err)
{
    bool absent, ok = true;
    json_t *answer = ask_format(registry, id, "", &absent, err);
    if (!answer)
        return absent;
    struct slice type = text_of_member(answer, "schemaType");
    if (!type.p || slice_is(type, "AVRO"))
        ok = avro_answer(registry, id, answer, schema, err);
    else if (slice_is(type, "PROTOBUF"))
        ok = protobuf_answer(registry, id, answer, schema, err);
    else if (slice_is(type, "JSON"))
        schema->kind = SCHEMA_JSON;
    else
        broken(schema, "a type of schema that is not AVRO, PROTOBUF or JSON");
    json_decref(answer);
    return ok;
}

/* What is wrong for good is a schema that cannot be used: messages do not wait for it. */
static bool schema_ask(struct registry *registry, uint32_t id, struct schema *schema,
                       struct err *err)
{
    if (answer_ask(registry, id, schema, err))
        return true;
    if (err->kind != ERR_INPUT)
        return false;
    broken(schema, err->text);
    err_clear(err);
    return true;
}

/* --- the schemas ------------------------------------------------------------------------------ */

struct registry *registry_new(const struct registry_options *options, struct err *err)
{
    struct registry *registry = calloc(1, sizeof *registry);
    size_t bytes = strlen(options->url);
    pthread_once(&curl_once, curl_begin);
    if (!registry) {
        err_set(err, ERR_FATAL, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&registry->mutex, NULL);
    pthread_mutex_init(&registry->asking, NULL);
    while (bytes > 0 && options->url[bytes - 1] == '/')
        bytes--;
    registry->url = strndup(options->url, bytes);
    registry->credentials = options->credentials ? strdup(options->credentials) : NULL;
    registry->ca = options->ca ? strdup(options->ca) : NULL;
    bool http =
        strncmp(options->url, "http://", 7) == 0 || strncmp(options->url, "https://", 8) == 0;
    if (!http || bytes > PATH_BYTES / 2)
        err_set(err, ERR_CONFIG, "schema_registry.url is not a URL of http or https");
    else if (registry->url && curl_prepare(registry, err))
        return registry;
    registry_free(registry);
    return NULL;
}

bool registry_open(const struct config *config, struct registry **registry, struct err *err)
{
    const struct registry_options options = {.url = config->registry_url.value,
                                             .credentials = config->registry_credentials.value,
                                             .ca = config->registry_ca};
    *registry = NULL;
    if (!options.url || !options.url[0])
        return true;
    if (options.ca && access(options.ca, R_OK) != 0)
        return err_set(err, ERR_CONFIG, "%s: %s", options.ca, strerror(errno)) ||
               config_blame(config, "schema_registry.ca", err);
    *registry = registry_new(&options, err);
    return *registry != NULL;
}

void registry_stop_on(struct registry *registry, const atomic_bool *stop)
{
    if (registry)
        registry->stop = stop;
}

static void schema_free(struct schema *schema)
{
    schema_avro_free(schema->avro);
    schema_protobuf_free(schema->protobuf);
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    while (registry->entries) {
        struct entry *next = registry->entries->next;
        schema_free(&registry->entries->schema);
        free(registry->entries);
        registry->entries = next;
    }
    curl_easy_cleanup(registry->curl);
    curl_slist_free_all(registry->accept);
    pthread_mutex_destroy(&registry->mutex);
    pthread_mutex_destroy(&registry->asking);
    free(registry->url);
    free(registry->credentials);
    free(registry->ca);
    free(registry);
}

static struct entry *entry_find(struct registry *registry, uint32_t id)
{
    struct entry *entry = registry->entries;
    while (entry && entry->id != id)
        entry = entry->next;
    return entry;
}

static bool known_absent(const struct registry *registry, uint32_t id)
{
    for (size_t i = 0; i < ABSENT_KEPT; i++)
        if (registry->absent[i].id == id && clock_monotonic_ms() < registry->absent[i].until_ms)
            return true;
    return false;
}

static void absent_keep(struct registry *registry, uint32_t id)
{
    size_t place = registry->next_absent++ % ABSENT_KEPT;
    registry->absent[place].id = id;
    registry->absent[place].until_ms = clock_monotonic_ms() + ABSENT_KEPT_MS;
}

/* One schema more than are kept is as unknown as one that is absent: no message can stop us. */
static bool is_known(struct registry *registry, uint32_t id)
{
    pthread_mutex_lock(&registry->mutex);
    bool known =
        entry_find(registry, id) || known_absent(registry, id) || registry->count == SCHEMAS_MAX;
    pthread_mutex_unlock(&registry->mutex);
    return known;
}

static void keep(struct registry *registry, uint32_t id, struct schema schema)
{
    struct entry *entry = schema.kind == SCHEMA_ABSENT ? NULL : calloc(1, sizeof *entry);
    pthread_mutex_lock(&registry->mutex);
    if (entry) {
        *entry = (struct entry){id, schema, registry->entries};
        registry->entries = entry;
        registry->count++;
    } else {
        schema_free(&schema);
        absent_keep(registry, id);
    }
    pthread_mutex_unlock(&registry->mutex);
}

bool registry_load(struct registry *registry, uint32_t id, struct err *err)
{
    struct schema schema = {.kind = SCHEMA_ABSENT};
    if (!registry || is_known(registry, id))
        return true;
    pthread_mutex_lock(&registry->asking);
    bool known = is_known(registry, id); /* meanwhile */
    bool ok = known || schema_ask(registry, id, &schema, err);
    if (ok && !known)
        keep(registry, id, schema);
    pthread_mutex_unlock(&registry->asking);
    return ok;
}

const struct schema *registry_find(struct registry *registry, uint32_t id)
{
    pthread_mutex_lock(&registry->mutex);
    const struct entry *entry = entry_find(registry, id);
    pthread_mutex_unlock(&registry->mutex);
    return entry ? &entry->schema : NULL;
}
