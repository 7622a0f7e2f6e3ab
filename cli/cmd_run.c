/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spendlog run: compile what does not change, start the lanes, then wait for signals. The main
 * thread does nothing else: TERM and INT end, HUP loads prices again, whole or not at all.
 */
#include "cli/command.h"
#include "cli/reload.h"
#include "run/budgets.h"
#include "run/control.h"
#include "run/lane.h"
#include "run/metrics.h"
#include "run/names.h"
#include "run/notify.h"
#include "run/ready.h"
#include "run/watch.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_NS 50000000L
#define SAID_BYTES (64u << 10)

static struct {
    bool exit_eof;
} options;

const struct option_row run_options[] = {
    {"exit-eof", 0, NULL, "end when every assigned partition has been read to its end", OPTION_FLAG,
     &options.exit_eof},
    {0},
};

static void reload_asked_by_signal(struct lane_group *group, struct notify *notify)
{
    struct err err = {0};
    struct buf said;
    buf_init(&said, SAID_BYTES);
    notify_reloading(notify);
    (void)reload_prices(group, &said, &err);
    notify_reloaded(notify);
    buf_free(&said);
}

static bool all_done(struct lane_group *group)
{
    return group->exit_eof &&
           health_read_out(group->health, atomic_load(&group->caught_up) == group->lane_count);
}

/* From here on they wait until somebody asks for them. Before any thread is made: a thread takes
 * over the mask of its maker, and one that blocks nothing lets a signal end the process. */
static void signals_hold(void)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGHUP);
    sigprocmask(SIG_BLOCK, &held, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The next one; 0: none came. Those that end come first, however many reloads are asked for. */
static int signal_next(void)
{
    const struct timespec none = {0, 0}, wait = {0, WAIT_NS};
    sigset_t ending, all;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    all = ending;
    sigaddset(&all, SIGHUP);
    int signal = sigtimedwait(&ending, NULL, &none);
    if (signal < 0)
        signal = sigtimedwait(&all, NULL, &wait);
    return signal < 0 ? 0 : signal;
}

static void wait_for_end(struct lane_group *group, struct control *control, struct notify *notify)
{
    struct reload_watch watch = {0};
    for (;;) {
        int signal = signal_next();
        if (signal == SIGTERM || signal == SIGINT) {
            log_info("signal %s: ending", strsignal(signal));
            return;
        }
        if (signal == SIGHUP)
            reload_asked_by_signal(group, notify);
        reload_watch(&watch, group);
        control_serve(control);
        notify_turn(notify, group);
        drift_log(group->drift, clock_monotonic_ms());
        if (atomic_load(&group->failed) > 0 || all_done(group))
            return;
    }
}

static int run_lanes(struct lane_group *group, struct control *control, struct err *err)
{
    struct lane *lane[LANES_MAX] = {0};
    struct watch *watch = NULL;
    struct notify notify;
    unsigned started = 0;

    notify_open(&notify);
    while (started < group->lane_count && (lane[started] = lane_start(group, started, err)) != NULL)
        started++;
    if (started == group->lane_count && watch_start(&watch, group, err))
        wait_for_end(group, control, &notify);
    notify_stopping(&notify);
    atomic_store(&group->stop, true);
    watch_stop(watch);
    for (unsigned i = 0; i < started; i++)
        lane_join(lane[i]);
    notify_close(&notify);
    const char *missing = health_topic_missing(group->health);
    if (group->exit_eof && missing && err->kind == ERR_NONE)
        err_set(err, ERR_UNAVAILABLE, "kafka: topic %s does not exist", missing);
    if (err->kind != ERR_NONE)
        return fail(err);
    int code = atomic_load(&group->exit_code);
    return code ? code : atomic_load(&group->halted) ? EXIT_DIFFERENCES : 0;
}

static void log_totals(struct lane_group *group)
{
    struct lane_counters *c = &group->counters;
    log_info("%lld messages: %lld rows, %lld duplicates, %lld rejected, %lld skipped; %lld rows "
             "without a price",
             (long long)atomic_load(&c->messages), (long long)atomic_load(&c->rows),
             (long long)atomic_load(&c->duplicates), (long long)atomic_load(&c->rejected),
             (long long)atomic_load(&c->skipped),
             (long long)atomic_load(&c->by_status[CHARGE_UNPRICED]));
}

static int run_with(const struct config *config, struct err *err)
{
    struct book_slot books = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct health health;
    struct progress progress;
    struct control *control = NULL;
    struct lane_group group = {
        .config = config,
        .books = &books,
        .health = &health,
        .progress = &progress,
        .drift = drift_new(&config->drift),
        .lane_count = config->lanes,
        .exit_eof = options.exit_eof,
    };
    struct book_options book_options;
    struct metrics *metrics = NULL;
    struct names *names = NULL;
    struct topics topics;
    int code = -1;

    if (!group.drift)
        err_set(err, ERR_FATAL, "out of memory");
    if (!group.drift || !topics_open(&topics, config, err)) {
        drift_free(group.drift);
        return fail(err);
    }
    group.topics = &topics;
    registry_stop_on(topics.registry, &group.stop);
    health_init(&health, config);
    progress_init(&progress);
    if (book_options_of(config, &book_options, err) && book_slot_load(&books, &book_options, err) &&
        (!config->metrics_listen || !config->metrics_listen[0] ||
         budgets_start(&group.budgets, config->postgres, err)) &&
        names_start(&names, config->postgres, err) &&
        metrics_start(&metrics, config->metrics_listen, &group, err) &&
        (control_open(&control, config->control_socket, &group, reload_prices, err) ||
         config_blame(config, "control.socket", err))) {
        log_info("spendlog %s: %u lanes, group %s", SPENDLOG_VERSION, group.lane_count,
                 config_kafka(config, "group.id"));
        code = run_lanes(&group, control, err);
        drift_log(group.drift, clock_monotonic_ms());
        log_totals(&group);
    }
    control_close(control);
    metrics_stop(metrics);
    budgets_stop(group.budgets);
    names_stop(names);
    progress_free(&progress);
    book_slot_free(&books);
    topics_free(&topics);
    health_free(&health);
    drift_free(group.drift);
    return code >= 0 ? code : fail(err);
}

int begin_run(const struct command *command, const struct operands *given)
{
    int code = operands_none(command, given);
    if (code != GO_ON)
        return code;
    signals_hold();
    fault_init();
    return GO_ON;
}

int cmd_run(const struct config *config, const struct operands *given, struct err *err)
{
    (void)given;
    return run_ready(config, err) ? run_with(config, err) : fail(err);
}
