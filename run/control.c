/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server and client of the control socket: the path is taken over from a process that is gone,
 * requests are read and answered one at a time, answers are put together from what health and
 * progress know.
 */
#include "run/control.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"
#include "run/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES (8u << 20)
#define PEER_WAIT_MS 200 /* a client that says nothing, or does not read, keeps nobody waiting */
#define CONNECT_WAIT_MS 5000 /* whoever is asked may be loading prices, with others before us */
#define ANSWER_WAIT_S 120    /* prices may take long to load */

struct control {
    int listener;
    struct lane_group *group;
    control_reload_fn *reload;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static bool address_of(const char *path, struct sockaddr_un *address, struct err *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path))
        return err_set(err, ERR_CONFIG, "%s is longer than %zu bytes", path,
                       sizeof(address->sun_path) - 1);
    memcpy(address->sun_path, path, strlen(path) + 1);
    return true;
}

/* EAGAIN: there is a listener, which took nobody within the time: it is frozen, and its queue full.
 */
static int connect_to(const struct sockaddr_un *address, int wait_ms)
{
    const struct timeval wait = {wait_ms / 1000, wait_ms % 1000 * 1000};
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer >= 0)
        setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (peer >= 0 && connect(peer, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        int code = errno;
        close(peer);
        errno = code;
        return -1;
    }
    return peer;
}

/* --- status ---------------------------------------------------------------------------------- */

static void ready_json(struct lane_group *group, struct buf *json)
{
    struct buf why;
    buf_init(&why, ANSWER_BYTES);
    bool ready = health_ready(group->health, &why) && !atomic_load(&group->halted);
    buf_printf(json, "\"ready\":%s,\"why_not\":", ready ? "true" : "false");
    if (ready)
        buf_add_text(json, "null");
    else
        buf_add_json_string(json,
                            why.bytes ? buf_slice(&why) : SLICE("a partition waits: kafka_gap"));
    buf_free(&why);
}

static void book_json(struct lane_group *group, struct buf *json)
{
    struct book_ref *ref = book_acquire(group->books);
    char loaded[CLOCK_TEXT_MAX];
    clock_format(ref->loaded_us, loaded);
    buf_printf(json, "\"price_book\":{\"id\":\"%s\",\"loaded_at\":\"%s\",\"reload_failures\":%lld}",
               book_id(ref->book), loaded, (long long)atomic_load(&group->reload_failures));
    book_release(group->books, ref);
}

static void counters_json(const struct lane_counters *c, struct buf *json)
{
    buf_printf(json,
               "\"messages\":%lld,\"rows\":%lld,\"duplicates\":%lld,\"rejected\":%lld,"
               "\"skipped\":%lld,\"batches\":%lld,\"recoveries\":%lld,\"gaps\":%lld",
               (long long)atomic_load(&c->messages), (long long)atomic_load(&c->rows),
               (long long)atomic_load(&c->duplicates), (long long)atomic_load(&c->rejected),
               (long long)atomic_load(&c->skipped), (long long)atomic_load(&c->batches),
               (long long)atomic_load(&c->recoveries), (long long)atomic_load(&c->gaps));
}

void control_status(struct lane_group *group, struct buf *json)
{
    buf_printf(json, "{\"version\":\"%s\",\"pid\":%d,\"group\":", SPENDLOG_VERSION, (int)getpid());
    buf_add_json_string(json, slice_of(config_kafka(group->config, "group.id")));
    buf_add_char(json, ',');
    ready_json(group, json);
    buf_add_char(json, ',');
    health_json(group->health, json);
    buf_add_char(json, ',');
    progress_json(group->progress, json);
    buf_add_char(json, ',');
    book_json(group, json);
    buf_add_char(json, ',');
    counters_json(&group->counters, json);
    struct memory memory = memory_now();
    buf_printf(json, ",\"memory_bytes\":%lld,\"memory_peak_bytes\":%lld}\n",
               (long long)memory.resident_bytes, (long long)memory.peak_bytes);
}

/* --- serving --------------------------------------------------------------------------------- */

static void reload_json(struct control *control, struct buf *json)
{
    struct err err = {0};
    struct buf said;
    buf_init(&said, ANSWER_BYTES);
    bool ok = control->reload(control->group, &said, &err);
    buf_printf(json, "{\"ok\":%s,\"said\":", ok ? "true" : "false");
    buf_add_json_string(json, ok ? buf_slice(&said) : slice_of(err.text));
    buf_add_text(json, "}\n");
    buf_free(&said);
}

static void answer(struct control *control, int peer)
{
    char word[32];
    struct buf json;
    ssize_t bytes = recv(peer, word, sizeof(word) - 1, 0);
    if (bytes <= 0)
        return;
    MUST((size_t)bytes < sizeof(word), bytes);
    word[bytes] = '\0';
    word[strcspn(word, "\r\n")] = '\0';
    buf_init(&json, ANSWER_BYTES);
    if (strcmp(word, "status") == 0)
        control_status(control->group, &json);
    else if (strcmp(word, "reload") == 0)
        reload_json(control, &json);
    else
        buf_add_text(&json, "{\"ok\":false,\"said\":\"status or reload\"}\n");
    for (size_t at = 0; buf_ok(&json) && at < json.bytes;) {
        ssize_t sent = send(peer, json.p + at, json.bytes - at, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    buf_free(&json);
}

void control_serve(struct control *control)
{
    const struct timeval wait = {.tv_usec = PEER_WAIT_MS * 1000};
    int peer = control ? accept4(control->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (peer < 0)
        return;
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    answer(control, peer);
    close(peer);
}

static bool folder_is_there(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return access(folder[0] ? folder : "/", W_OK) == 0;
}

/* A socket that nobody answers at was left behind. */
static bool place_free(const struct sockaddr_un *address)
{
    int peer = connect_to(address, PEER_WAIT_MS);
    if (peer >= 0) {
        close(peer);
        return false;
    }
    if (errno == EAGAIN)
        return false;
    if (errno == ECONNREFUSED)
        unlink(address->sun_path);
    return true;
}

static int listen_at(const struct sockaddr_un *address)
{
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0007);
    bool ok = listener >= 0 &&
              bind(listener, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
              listen(listener, 8) == 0;
    umask(mask);
    if (!ok && listener >= 0)
        close(listener);
    return ok ? listener : -1;
}

bool control_open(struct control **out, const char *path, struct lane_group *group,
                  control_reload_fn *reload, struct err *err)
{
    struct sockaddr_un address;
    *out = NULL;
    if (!path || !path[0])
        return true;
    if (!address_of(path, &address, err))
        return false;
    if (!folder_is_there(path)) {
        log_debug("control.socket: no folder for %s to write to: no `spendlog status`", path);
        return true;
    }
    if (!place_free(&address)) {
        log_warn("control.socket: another process listens at %s: no `spendlog status` of this one",
                 path);
        return true;
    }
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return err_set(err, ERR_FATAL, "out of memory");
    *control = (struct control){listen_at(&address), group, reload, ""};
    memcpy(control->path, address.sun_path, sizeof(control->path));
    if (control->listener < 0) {
        log_warn("control.socket: %s: %s", path, strerror(errno));
        free(control);
        return true;
    }
    *out = control;
    return true;
}

void control_close(struct control *control)
{
    if (!control)
        return;
    close(control->listener);
    unlink(control->path);
    free(control);
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool read_answer(int peer, struct buf *answer)
{
    char piece[4096];
    for (;;) {
        ssize_t bytes = recv(peer, piece, sizeof(piece), 0);
        if (bytes <= 0)
            return bytes == 0;
        buf_add(answer, (struct slice){piece, (size_t)bytes});
    }
}

bool control_ask(const char *path, const char *word, struct buf *answer, struct err *err)
{
    struct sockaddr_un address;
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    char line[32];
    int bytes = snprintf(line, sizeof(line), "%s\n", word);
    if (!path || !path[0])
        return err_set(err, ERR_CONFIG, "control.socket is \"\": the service has none");
    if (!address_of(path, &address, err))
        return false;
    int peer = connect_to(&address, CONNECT_WAIT_MS);
    if (peer < 0 && errno == EAGAIN)
        return err_set(err, ERR_UNAVAILABLE, "%s: who listens there takes nobody: it is frozen",
                       path);
    if (peer < 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "%s: %s: does `spendlog run` run, with this "
                       "control.socket?",
                       path, strerror(errno));
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    bool ok = send(peer, line, (size_t)bytes, MSG_NOSIGNAL) == bytes && read_answer(peer, answer) &&
              buf_ok(answer) && answer->bytes > 0;
    close(peer);
    return ok || err_set(err, ERR_UNAVAILABLE, "%s: no answer", path);
}
