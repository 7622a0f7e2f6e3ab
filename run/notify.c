/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams to the socket of $NOTIFY_SOCKET, never waited for. The watchdog's sign of life is sent
 * only while the lanes turn.
 */
#include "run/notify.h"

#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_EVERY_MS 5000
#define LANE_STUCK_MS 300000 /* a turn may wait for several statements, of 30 s each at most */
#define READY_WAIT_MS 30000  /* who starts us is not kept longer: we go on trying by ourselves */

static void tell(struct notify *notify, const char *text)
{
    if (notify->socket >= 0)
        (void)!send(notify->socket, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A path, or a name of the abstract namespace, which begins with @. */
static bool connect_to(int socket, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen(path);
    if (bytes == 0 || bytes >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return false;
    memcpy(address.sun_path, path, bytes);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    return connect(socket, (const struct sockaddr *)&address,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)) == 0;
}

/* Half of what the watchdog allows, as systemd recommends. */
static int64_t watchdog_every_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    return strtoll(usec, NULL, 10) / 2000;
}

void notify_open(struct notify *notify)
{
    const char *path = getenv("NOTIFY_SOCKET");
    *notify = (struct notify){.socket = -1};
    if (!path)
        return;
    notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->socket >= 0 && !connect_to(notify->socket, path))
        notify_close(notify);
    notify->watchdog_every_ms = watchdog_every_ms();
    notify->status_ms = notify->opened_ms = clock_monotonic_ms();
}

static void status_tell(struct notify *notify, struct lane_group *group, int64_t now_ms)
{
    char text[512];
    struct buf why;
    int64_t rows = atomic_load(&group->counters.rows), elapsed_ms = now_ms - notify->status_ms;
    buf_init(&why, 4096);
    bool ready = health_ready(group->health, &why);
    if (ready)
        snprintf(text, sizeof(text), "STATUS=lag %lld messages, %lld rows/s, %lld rows so far",
                 (long long)progress_lag(group->progress),
                 (long long)((rows - notify->rows) * 1000 / (elapsed_ms ? elapsed_ms : 1)),
                 (long long)rows);
    else
        snprintf(text, sizeof(text), "STATUS=not ready: %.*s",
                 (int)(why.bytes < 400 ? why.bytes : 400), why.p ? why.p : "");
    buf_free(&why);
    text[strcspn(text, "\n")] = '\0';
    tell(notify, text);
    notify->rows = rows;
    notify->status_ms = now_ms;
}

static void ready_tell(struct notify *notify, struct lane_group *group, int64_t now_ms)
{
    struct buf why;
    buf_init(&why, 4096);
    notify->ready =
        health_ready(group->health, &why) || now_ms - notify->opened_ms >= READY_WAIT_MS;
    buf_free(&why);
    if (!notify->ready)
        return;
    tell(notify, "READY=1");
    status_tell(notify, group, now_ms);
}

void notify_turn(struct notify *notify, struct lane_group *group)
{
    int64_t now_ms = clock_monotonic_ms();
    if (notify->socket < 0)
        return;
    if (!notify->ready)
        ready_tell(notify, group, now_ms);
    if (now_ms - notify->status_ms >= STATUS_EVERY_MS)
        status_tell(notify, group, now_ms);
    if (notify->watchdog_every_ms && now_ms - notify->watchdog_ms >= notify->watchdog_every_ms &&
        health_turns(group->health, LANE_STUCK_MS)) {
        tell(notify, "WATCHDOG=1");
        notify->watchdog_ms = now_ms;
    }
}

void notify_reloading(struct notify *notify)
{
    char text[64];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_monotonic_us());
    tell(notify, text);
}

void notify_reloaded(struct notify *notify)
{
    if (notify->ready)
        tell(notify, "READY=1");
}

void notify_stopping(struct notify *notify)
{
    tell(notify, "STOPPING=1\nSTATUS=ending after the batch under way");
}

void notify_close(struct notify *notify)
{
    if (notify->socket >= 0)
        close(notify->socket);
    notify->socket = -1;
}
