/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spendlog init: writes spendlog.yaml from the example, with the answers to a few questions in
 * their places. What an option has answered is not asked. The connection string goes into a file of
 * its own beside it, which only its owner may read: the configuration itself holds no secret.
 */
#include "cli/command.h"
#include "run/ready.h"

#include "core/buf.h"
#include "core/embed.h"
#include "core/show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_BYTES 1024
#define TEXT_BYTES 65536
#define PATH_BYTES 4096
#define CONNINFO_FILE "postgres.conninfo"
#define NEW ".new"

static struct {
    const char *brokers, *topic, *group, *postgres, *litellm_config, *output;
    bool force;
} options;

const struct option_row init_options[] = {
    {"brokers", 0, "HOST:PORT,...", "Kafka's brokers", OPTION_TEXT, &options.brokers},
    {"topic", 0, "NAME", "topic to read, or a regular expression that begins with ^", OPTION_TEXT,
     &options.topic},
    {"group", 0, "NAME", "consumer group", OPTION_TEXT, &options.group},
    {"postgres", 0, "CONNINFO", "connection string without a password; - reads it from stdin",
     OPTION_TEXT, &options.postgres},
    {"litellm-config", 0, "FILE", "LiteLLM's config.yaml, for the prices in it", OPTION_TEXT,
     &options.litellm_config},
    {"output", 'o', "FILE",
     "where to (default /etc/spendlog/spendlog.yaml if you may write there, else ./spendlog.yaml)",
     OPTION_TEXT, &options.output},
    {"force", 0, NULL, "replace files that are there", OPTION_FLAG, &options.force},
    {0},
};

/* --- questions ------------------------------------------------------------------------------- */

enum answer { BROKERS, TOPIC, GROUP, POSTGRES, LITELLM_CONFIG, ANSWER_COUNT };

/* `line` is the one of the example that the answer takes the place of; `key` stands before it. */
static const struct question {
    const char *text, *preset, *line, *key;
    const char *const *option;
} questions[ANSWER_COUNT] = {
    [BROKERS] = {"Kafka brokers", "localhost:9092",
                 "  bootstrap.servers:", "  bootstrap.servers: ", &options.brokers},
    [TOPIC] = {"Topic of the usage events", "llm.usage", "  - name:", "  - name: ", &options.topic},
    [GROUP] = {"Consumer group", "spendlog", "  group.id:", "  group.id: ", &options.group},
    [POSTGRES] = {"PostgreSQL connection string", "host=localhost dbname=spend user=spendlog",
                  "postgres:", "postgres: ", &options.postgres},
    [LITELLM_CONFIG] = {"LiteLLM's config.yaml, for the prices in it (empty: none)", "",
                        "  # litellm_config:", "  litellm_config: ", &options.litellm_config},
};

struct answers {
    char text[ANSWER_COUNT][ANSWER_BYTES];
};

/* An empty line is an answer, the end of input is none: what should have written it may have
 * failed. */
static bool line_read(char *text, struct err *err)
{
    if (!fgets(text, ANSWER_BYTES, stdin))
        return err_set(err, ERR_USAGE, "standard input ended before the answer");
    size_t bytes = strcspn(text, "\r\n");
    if (bytes == ANSWER_BYTES - 1)
        return err_set(err, ERR_USAGE, "an answer of more than %d bytes", ANSWER_BYTES - 2);
    text[bytes] = '\0';
    return true;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

static bool ask(const struct question *q, char *text, struct err *err)
{
    if (*q->option && !(q->option == &options.postgres && strcmp(*q->option, "-") == 0)) {
        snprintf(text, ANSWER_BYTES, "%s", *q->option);
        return strlen(*q->option) < ANSWER_BYTES ||
               err_set(err, ERR_USAGE, "an option of more than %d bytes", ANSWER_BYTES - 1);
    }
    if (!*q->option) {
        fprintf(stderr, "%s%s%s%s: ", q->text, *q->preset ? " [" : "", q->preset,
                *q->preset ? "]" : "");
        fflush(stderr);
    }
    if (!line_read(text, err))
        return err_prefix(err, "%s", q->text);
    if (!*q->option && !isatty(STDIN_FILENO))
        fputc('\n', stderr);
    if (!text[0])
        snprintf(text, ANSWER_BYTES, "%s", q->preset);
    return true;
}

/* Who names brokers, topic and database wants to be asked nothing more. */
static bool needs_asking(enum answer i)
{
    bool named = options.brokers && options.topic && options.postgres;
    return *questions[i].option || !named;
}

/* A keyword of it, or what stands behind the user of a URI. */
static bool holds_password(const char *conninfo)
{
    const char *user = strstr(conninfo, "://");
    const char *colon = user ? strpbrk(user + 3, ":@/?") : NULL;
    return strstr(conninfo, "password") || (colon && *colon == ':' && strchr(colon, '@'));
}

static bool answers_take(struct answers *answers, struct err *err)
{
    for (unsigned i = 0; i < ANSWER_COUNT; i++) {
        char *text = answers->text[i];
        if (!needs_asking(i))
            snprintf(text, ANSWER_BYTES, "%s", questions[i].preset);
        else if (!ask(&questions[i], text, err))
            return false;
        if (has_control(text))
            return err_set(err, ERR_USAGE, "%s: a control character", questions[i].text);
    }
    if (options.postgres && holds_password(options.postgres))
        return err_set(err, ERR_USAGE,
                       "--postgres: everybody on this machine can read a command line; give a "
                       "connection string with a password by --postgres - on standard input");
    return true;
}

/* --- files ----------------------------------------------------------------------------------- */

static void add_quoted(struct buf *out, const char *text)
{
    buf_add_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_add_char(out, '\'');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '\'');
}

static const struct question *question_of(struct slice line)
{
    for (unsigned i = 0; i < ANSWER_COUNT; i++)
        if (slice_starts(line, slice_of(questions[i].line)))
            return &questions[i];
    return NULL;
}

static void line_add(struct buf *out, struct slice line, const struct answers *answers)
{
    const struct question *q = question_of(line);
    const char *answer = q ? answers->text[q - questions] : "";
    if (!answer[0]) {
        buf_add(out, line);
    } else {
        buf_add_text(out, q->key);
        add_quoted(out, answer);
    }
    buf_add_char(out, '\n');
}

/* The example's text, line by line. */
static void configuration_of(struct buf *out, const struct answers *answers)
{
    for (const char *p = embedded_example[0].text; *p;) {
        size_t bytes = strcspn(p, "\n");
        line_add(out, (struct slice){p, bytes}, answers);
        p += bytes + (p[bytes] == '\n');
    }
}

static bool file_write(const char *path, struct slice text, mode_t mode, struct err *err)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, mode);
    if (file < 0)
        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
    bool ok = fchmod(file, mode) == 0 && write(file, text.p, text.bytes) == (ssize_t)text.bytes &&
              fsync(file) == 0;
    ok = close(file) == 0 && ok;
    return ok || err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
}

static const char *output_path(void)
{
    if (options.output)
        return options.output;
    return access("/etc/spendlog", W_OK) == 0 ? "/etc/spendlog/spendlog.yaml" : "./spendlog.yaml";
}

/* The configuration and the file of the connection string beside it, and where both are made. */
struct places {
    char path[PATH_BYTES], secret[PATH_BYTES], new_path[PATH_BYTES], new_secret[PATH_BYTES];
};

static bool places_of(struct places *places, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path + 1) : 0;
    if (strlen(path) + sizeof(CONNINFO_FILE NEW) >= PATH_BYTES)
        return err_set(err, ERR_USAGE, "-o: a path of more than %zu bytes",
                       (size_t)PATH_BYTES - sizeof(CONNINFO_FILE NEW));
    snprintf(places->path, PATH_BYTES, "%s", path);
    snprintf(places->secret, PATH_BYTES, "%.*s" CONNINFO_FILE, folder, path);
    snprintf(places->new_path, PATH_BYTES, "%s" NEW, path);
    snprintf(places->new_secret, PATH_BYTES, "%.*s" CONNINFO_FILE NEW, folder, path);
    return true;
}

static bool nothing_there(const struct places *places, struct err *err)
{
    const char *const files[] = {places->path, places->secret};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (!options.force && access(files[i], F_OK) == 0)
            return err_set(err, ERR_CONFIG, "%s is there already; --force replaces it", files[i]);
    return true;
}

/* The configuration, with the connection string in a file of that name. */
static bool configuration_write(const char *path, const char *secret, struct answers *answers,
                                struct err *err)
{
    struct buf text;
    snprintf(answers->text[POSTGRES], ANSWER_BYTES, "file:%s", secret);
    buf_init(&text, TEXT_BYTES);
    configuration_of(&text, answers);
    bool ok = (buf_ok(&text) || err_set(err, ERR_USAGE, "the answers are too long")) &&
              file_write(path, buf_slice(&text), 0644, err);
    buf_free(&text);
    return ok;
}

static bool secret_write(const char *path, const struct answers *answers, struct err *err)
{
    char conninfo[ANSWER_BYTES + 1];
    int bytes = snprintf(conninfo, sizeof(conninfo), "%s\n", answers->text[POSTGRES]);
    bool ok = file_write(path, (struct slice){conninfo, (size_t)bytes}, 0600, err);
    explicit_bzero(conninfo, sizeof(conninfo));
    return ok;
}

/* Whether `run` would begin with what was written; else the answer that it would not is named. */
static bool files_read(const char *path, struct err *err)
{
    struct config config;
    if (!config_load(&config, path, err))
        return false;
    bool ok = run_ready(&config, err);
    if (ok && config.litellm_config && access(config.litellm_config, R_OK) != 0)
        ok = err_set(err, ERR_CONFIG, "%s: %s", config.litellm_config, strerror(errno));
    config_free(&config);
    return ok;
}

static bool renamed(const char *from, const char *to, struct err *err)
{
    return rename(from, to) == 0 || err_set(err, ERR_CONFIG, "%s: %s", to, strerror(errno));
}

/* Both are made beside their places and read there: what stood in them stays until both are good.
 */
static bool files_write(const char *path, struct answers *answers, struct err *err)
{
    struct places places;
    if (!places_of(&places, path, err) || !nothing_there(&places, err))
        return false;
    bool ok = secret_write(places.new_secret, answers, err) &&
              configuration_write(places.new_path, CONNINFO_FILE NEW, answers, err) &&
              files_read(places.new_path, err) &&
              configuration_write(places.new_path, CONNINFO_FILE, answers, err) &&
              renamed(places.new_secret, places.secret, err) &&
              renamed(places.new_path, places.path, err);
    if (!ok) {
        unlink(places.new_path);
        unlink(places.new_secret);
        return err_prefix(err, "nothing is written");
    }
    show_line(stdout, "written: %s, and the connection string in %s", places.path, places.secret);
    return true;
}

static bool init(struct err *err)
{
    struct answers answers = {0};
    const char *path = output_path();
    if (!answers_take(&answers, err) || !files_write(path, &answers, err))
        return false;
    puts("next: spendlog check --offline   what every configured model will cost\n"
         "      spendlog migrate           the schema, in an empty database\n"
         "      spendlog check             the whole way: broker, topic, database, a message");
    return true;
}

int cmd_init(const struct config *none, const struct operands *given, struct err *err)
{
    (void)none;
    (void)given;
    if (common.config)
        err_set(err, ERR_USAGE, "init writes to -o FILE; -c names what is there");
    return err->kind == ERR_NONE && init(err) ? 0 : fail(err);
}
