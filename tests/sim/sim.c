/* SPDX-License-Identifier: Apache-2.0 */
/* A seed from its beginning to its verdict, and the command line. */
#include "tests/sim/sim.h"

#include "core/must.h"
#include "store/recent_keys.h"
#include "store/row_words.h"
#include "tests/sim/broker.h"
#include "tests/sim/check.h"
#include "tests/sim/load.h"
#include "tests/sim/member.h"
#include "tests/sim/others.h"
#include "tests/sim/pq.h"
#include "tests/sim/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 120000 /* then all is read out, or never */
#define TURNS_QUIET 200000
#define CHUNK_BYTES (1u << 20)

struct sim sim;

/* --- the generator -------------------------------------------------------------------------- */

/* SplitMix64 (S. Vigna, public domain). */
uint64_t sim_random(void)
{
    uint64_t z = sim.state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

unsigned sim_below(unsigned n)
{
    return n ? (unsigned)(sim_random() >> 33) % n : 0;
}

bool sim_chance(unsigned of_thousand)
{
    return of_thousand > 0 && sim_below(1000) < of_thousand;
}

bool sim_fault(unsigned of_thousand)
{
    return !sim.quiet && sim_chance(of_thousand);
}

/* --- memory --------------------------------------------------------------------------------- */

static struct chunk {
    struct chunk *next;
    size_t bytes, used;
    _Alignas(16) char p[];
} * chunks, *chunk;

static struct chunk *chunk_new(size_t bytes)
{
    struct chunk *c = sim_malloc(sizeof(*c) + bytes);
    if (!c)
        abort();
    *c = (struct chunk){.bytes = bytes};
    return c;
}

void *sim_alloc(size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    while (!chunk || chunk->used + bytes > chunk->bytes) {
        struct chunk *next = chunk ? chunk->next : chunks;
        if (!next) {
            next = chunk_new(bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES);
            if (chunk)
                chunk->next = next;
            else
                chunks = next;
        }
        chunk = next;
        chunk->used = 0;
    }
    void *p = chunk->p + chunk->used;
    chunk->used += bytes;
    return memset(p, 0, bytes);
}

static void memory_reset(void)
{
    chunk = chunks;
    if (chunk)
        chunk->used = 0;
}

char *sim_text(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    char *copy = sim_alloc((size_t)bytes + 1);
    memcpy(copy, text, (size_t)bytes < sizeof(text) ? (size_t)bytes : sizeof(text) - 1);
    return copy;
}

/* --- what happened -------------------------------------------------------------------------- */

static unsigned long happened[HAPPENINGS_COUNT];
static const char *const happening_words[] = {
#define X(id, words) words,
    HAPPENINGS(X)
#undef X
};

void sim_happened(enum happening what)
{
    happened[what]++;
}

/* --- what is told --------------------------------------------------------------------------- */

void sim_trace(const char *fmt, ...)
{
    va_list args;
    if (!sim.trace)
        return;
    printf("%6lu %7lld ms  %-9s ", sim.steps, (long long)sim.now_ms, task_name(task_self()));
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void sim_fail(const char *fmt, ...)
{
    va_list args;
    if (sim.failed)
        return;
    sim.failed = true;
    va_start(args, fmt);
    vsnprintf(sim.why, sizeof(sim.why), fmt, args);
    va_end(args);
    sim_trace("FINDING: %s", sim.why);
}

void sim_committed(void)
{
    if (!sim.failed)
        check_commit();
}

/* --- a seed --------------------------------------------------------------------------------- */

/* Each dial has a generator of its own, by the seed and its name: one more leaves the others as
 * they are. */
static uint64_t dial_state;

static void dial_begin(const char *name)
{
    dial_state = sim.seed * UINT64_C(0x9e3779b97f4a7c15);
    for (; *name; name++)
        dial_state = (dial_state ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
}

static unsigned dial_below(unsigned n)
{
    uint64_t kept = sim.state;
    sim.state = dial_state;
    unsigned drawn = sim_below(n);
    dial_state = sim.state;
    sim.state = kept;
    return drawn;
}

static unsigned between(const char *name, unsigned least, unsigned most)
{
    dial_begin(name);
    return least + dial_below(most - least + 1);
}

/* A kind of fault is there in one history of two, and then often or seldom. */
static unsigned some(const char *name, unsigned most)
{
    dial_begin(name);
    return dial_below(2) ? 0 : 1 + dial_below(most);
}

/* ... or in one of eight: it makes less of the rest. */
static unsigned seldom(const char *name, unsigned most)
{
    dial_begin(name);
    return dial_below(8) ? 0 : 1 + dial_below(most);
}

static void dials_of_faults(struct dials *d)
{
    d->cut = some("cut", 20);
    d->commit_lost = some("commit_lost", 200);
    d->refused = some("refused", 20);
    d->kafka_fails = some("kafka_fails", 40);
    d->repeats = some("repeats", 500);
    d->make_again = seldom("make_again", 60);
    d->in_part = seldom("in_part", 500);
    d->compact = seldom("compact", 100);
    d->go_back = some("go_back", 120);
    d->replace = some("replace", 120);
    d->outage = some("outage", 100);
    d->freeze = some("freeze", 150);
    d->kill = some("kill", 150);
    d->stop = some("stop", 100);
    d->rebalance = some("rebalance", 200);
    d->retain = some("retain", 60);
    d->reload = some("reload", 150);
    d->step = some("step", 100);
    d->drop_day = some("drop_day", 100);
    d->add_partition = some("add_partition", 30);
    d->starve = some("starve", 100);
    d->remap = some("remap", 500);
    d->theirs = some("theirs", 4);
    d->reprice = some("reprice", 800);
    d->reprice_kill = some("reprice_kill", 60);
    d->replace_run = d->reprice ? some("replace_run", 60) : 0;
    d->swap = some("swap", 1000);
    d->close_day = d->reprice ? seldom("close_day", 60) : 0;
    d->retry = some("retry", 800);
    d->yields = some("yields", 1000);
    d->keeps_prepared = between("keeps_prepared", 0, 1);
    d->slots = between("slots", 0, 3) ? 1024 : 8;
    d->word_mask = between("word_mask", 0, 3) ? UINT64_MAX : 3;
}

static void dials_draw(void)
{
    struct dials *d = &sim.dials;
    d->members = between("members", 1, MEMBERS_MAX);
    d->partitions = between("partitions", 1, PARTITIONS_MAX);
    d->messages = between("messages", 20, 140);
    d->batch_rows = between("batch_rows", 1, between("small", 0, 1) ? 4 : 40);
    d->batch_wait_ms = between("batch_wait_ms", 50, 450);
    d->resend = some("resend", 500);
    d->conflict = some("conflict", 500);
    d->siblings = some("siblings", 600);
    d->odd = some("odd", 200);
    d->refusable = some("refusable", 60);
    d->untimed = some("untimed", 300);
    d->unnamed = some("unnamed", 200);
    d->holes = some("holes", 200);
    d->limits = some("limits", 60);
    d->texts = seldom("texts", 100);
    dials_of_faults(d);
    if (d->in_part > 0)
        d->batch_rows = between("batch_rows", 1, 4);
}

static unsigned produced; /* times */

static void producer(void *context)
{
    (void)context;
    while (produced < sim.dials.messages) {
        load_produce();
        produced++;
        task_sleep(1 + sim_below(sim_below(8) ? 100 : 2000));
    }
}

/* How many transactions a promoted standby lacks: mostly few. */
static size_t lacking(void)
{
    return 1 + (sim_below(4) ? sim_below(4) : sim_below((unsigned)db.committed + 1));
}

static void fault_of_operators(void)
{
    const struct dials *d = &sim.dials;
    if (sim_chance(d->reload))
        members_reload();
    if (sim_chance(d->step)) {
        sim_happened(HAPPENED_CLOCK);
        sim.wall_step_us += ((int64_t)sim_below(7200) - 3600) * 1000000;
    }
    if (sim_chance(d->retain)) {
        int32_t p = (int32_t)sim_below(d->partitions);
        broker_retain(p, broker_log[p]->low + sim_below(20));
    }
    if (sim_chance(d->compact))
        broker_compact((int32_t)sim_below(d->partitions));
    if (sim_chance(d->make_again) || (check_first_in_part() && sim_chance(d->in_part)))
        broker_make_again(1 + sim_below(PARTITIONS_MAX));
    if (d->partitions < PARTITIONS_MAX && sim_chance(d->add_partition)) {
        sim.dials.partitions++;
        sim_happened(HAPPENED_PARTITION);
        broker_rebalance();
    }
    others_turn();
}

/* A database from before the topic was made again, whose last message's place is empty in it, or
 * that had none since a gap: that these are two topics is then known to nobody
 * (docs/contributing/simulator.md). */
static bool may_go_back(void)
{
    return broker_log[0]->older == NULL ||
           (sim.dials.holes == 0 && sim.dials.compact == 0 && sim.dials.retain == 0);
}

static void replace(void)
{
    size_t n = lacking();
    sim_happened(HAPPENED_REPLACED);
    sim_trace("server: another one behind the same connections, %zu transactions older", n);
    server_replace(n);
}

void sim_replace(void)
{
    if (may_go_back())
        replace();
}

static void fault_of_server(void)
{
    const struct dials *d = &sim.dials;
    if (may_go_back() && sim_chance(d->go_back)) {
        size_t n = lacking();
        sim_happened(HAPPENED_WENT_BACK);
        sim_trace("server: crash, back without its last %zu transactions", n);
        server_crash(sim_below(3000));
        db_go_back(n);
    }
    if (may_go_back() && sim_chance(d->replace))
        replace();
    if (sim_chance(d->outage)) {
        unsigned kind = sim_below(3);
        int64_t until_ms = sim.now_ms + sim_below(8000);
        sim_happened(kind == 0 ? HAPPENED_CRASH : kind == 1 ? HAPPENED_READ_ONLY : HAPPENED_FULL);
        sim_trace("server: %s", kind == 0 ? "crash" : kind == 1 ? "read-only" : "disk full");
        if (kind == 0)
            server_crash(sim_below(8000));
        else if (kind == 1)
            server.read_only_ms = until_ms;
        else
            server.full_ms = until_ms;
    }
}

static void fault(void)
{
    const struct dials *d = &sim.dials;
    fault_of_server();
    if (sim_chance(d->freeze))
        member_freeze(sim_below(MEMBERS_MAX), sim_below(sim_below(2) ? 3000 : 40000));
    if (sim_chance(d->kill))
        member_kill(sim_below(MEMBERS_MAX));
    if (sim_chance(d->stop))
        member_stop(sim_below(MEMBERS_MAX));
    if (sim_chance(d->rebalance))
        broker_rebalance();
    if (sim_chance(d->starve))
        member_starve(sim_below(MEMBERS_MAX), 1 + sim_below(sim_below(2) ? 40 : 2000));
    if (d->reprice > 0 && sim_chance(d->starve))
        operator_starve(sim_below(OPERATORS_MAX), 1 + sim_below(sim_below(2) ? 40 : 2000));
    fault_of_operators();
}

static void faults(void *context)
{
    (void)context;
    while (!sim.quiet) {
        task_sleep(1 + sim_below(sim_below(2) ? 50 : 1000));
        if (!sim.quiet)
            fault();
    }
}

static bool housekeeping_over;

static void housekeeping(void *context)
{
    (void)context;
    while (!housekeeping_over) {
        task_sleep(500);
        server_reap();
        broker_tick();
    }
}

static bool step(void)
{
    if (sim.failed || (sim.steps_max && sim.steps >= sim.steps_max))
        return false;
    sim.steps++;
    return task_step();
}

static void settle(void)
{
    int64_t until_ms = sim.now_ms + QUIET_MS;
    unsigned turns = 0;
    sim.quiet = true;
    sim.quiet_ms = sim.now_ms;
    server.down_ms = server.read_only_ms = server.full_ms = 0;
    members_revive();
    sim_trace("quiet from now on");
    while ((turns % 8 || !check_read_out() || !repricers_are_done()) && sim.now_ms < until_ms &&
           turns++ < TURNS_QUIET && step())
        ;
    bool over = check_read_out() && repricers_are_done();
    if (!sim.failed && !(sim.steps_max && sim.steps >= sim.steps_max) && !over)
        sim_fail("%s after %lld s without a fault%s%s",
                 check_read_out() ? "a run of repricing did not come to its end" : "not read out",
                 (long long)(QUIET_MS - until_ms + sim.now_ms) / 1000, members_ended() ? ": " : "",
                 members_ended() ? members_ended() : "");
}

static void history_open(uint64_t seed, bool trace, unsigned long steps_max)
{
    memset(&sim, 0, sizeof(sim));
    memory_reset();
    sim.seed = sim.state = seed;
    sim.trace = trace;
    sim.steps_max = steps_max;
    produced = 0;
    housekeeping_over = false;
    tasks_reset();
    db_reset();
    server_reset();
    broker_reset();
    check_reset();
    repricers_reset();
    load_reset();
    dials_draw();
    words_number_mask = sim.dials.word_mask;
    recent_keys_mask = (size_t)sim.dials.slots - 1;
    words_known_mask = (size_t)sim.dials.slots - 1;
}

static void history_run(void)
{
    members_start(sim.dials.members);
    task_start("producer", producer, NULL);
    task_start("faults", faults, NULL);
    task_start("server", housekeeping, NULL);
    if (sim.dials.retry > 0)
        task_start("operator", operator_main, NULL);
    for (unsigned i = 0; sim.dials.reprice > 0 && i < OPERATORS_MAX; i++)
        task_start(i ? "repricer 1" : "repricer 0", repricer_main, (void *)(uintptr_t)i);
    while (produced < sim.dials.messages && step())
        ;
    if (!sim.failed)
        settle();
    housekeeping_over = sim.quiet = true;
    if (!sim.failed && !sim.steps_max)
        check_end();
    bool failed = sim.failed;
    members_free();
    if (!failed && !sim.steps_max && !sim.failed) {
        check_end();
        if (members_ended())
            sim_fail("%s", members_ended());
        if (server.results > 0)
            sim_fail("%zu results were not cleared", server.results);
    }
}

/* --- the program ---------------------------------------------------------------------------- */

static FILE *out; /* the product's own words go elsewhere */

static const char *keep; /* the file that failed seeds go to; NULL: none */

static bool is_kept(void)
{
    char line[700];
    bool found = false;
    FILE *file = fopen(keep, "r");
    while (file && !found && fgets(line, sizeof(line), file))
        found = strtoull(line, NULL, 10) == sim.seed && line[0] != '#';
    if (file)
        fclose(file);
    return found;
}

static void finding_tell(const char *why)
{
    FILE *file = keep && !is_kept() ? fopen(keep, "a") : NULL;
    fprintf(out, "seed %llu: %s\n", (unsigned long long)sim.seed, why);
    fflush(out);
    if (file && (fprintf(file, "%llu %s\n", (unsigned long long)sim.seed, why) < 0 || fclose(file)))
        fprintf(out, "%s: cannot be written\n", keep);
}

/* In place of the C library's, for the seed's sake. */
void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
    __attribute__((noreturn));
void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
    char why[400];
    snprintf(why, sizeof(why), "%s:%u: %s: assertion \"%s\" failed", file, line, function,
             assertion);
    sim_trace("FINDING: %s", why);
    finding_tell(why);
    _exit(1);
}

/* In place of core/must.c. */
_Noreturn void must_fail(const struct must *must, const long long *state, size_t count)
{
    char why[480];
    int bytes = snprintf(why, sizeof(why), "%s:%u: %s: it has to be that %s; %s =", must->file,
                         must->line, must->function, must->condition, must->names);
    for (size_t i = 1; i <= count && bytes < (int)sizeof(why); i++)
        bytes += snprintf(why + bytes, sizeof(why) - (size_t)bytes, " %lld", state[i]);
    sim_trace("FINDING: %s", why);
    finding_tell(why);
    _exit(1);
}

static void on_signal(int number)
{
    sim_trace("signal %d", number);
    finding_tell(sim.failed          ? sim.why
                 : number == SIGABRT ? "the program aborted"
                 : number == SIGPROF ? "hangs"
                                     : "the program crashed");
    _exit(1);
}

/* SIGINT, SIGTERM: after the seed under way. */
static volatile sig_atomic_t ends;

static void on_end(int number)
{
    (void)number;
    ends = 1;
}

static void progress_tell(unsigned long seeds, unsigned long steps, unsigned long findings,
                          unsigned long seconds)
{
    fprintf(out, "%lu seeds up to %llu, %lu steps, %lu findings, %lu s\n", seeds,
            (unsigned long long)sim.seed, steps, findings, seconds);
    fflush(out);
}

/* A history takes milliseconds of CPU, some a second; how busy the machine is does not count. */
static void hang_expect(void)
{
    static const struct itimerval most = {.it_value = {60, 0}};
    setitimer(ITIMER_PROF, &most, NULL);
}

#define TELL_SECONDS 120 /* how far it is */
#define SEEDS_OF_ALL 200 /* in so many everything happens */

/* false: something is in the list that never comes. */
static bool happened_tell(unsigned long seeds, bool all)
{
    bool whole = true;
    for (int i = 0; i < HAPPENINGS_COUNT; i++) {
        if (all || !happened[i])
            fprintf(out, "%10lu %s\n", happened[i], happening_words[i]);
        whole = whole && happened[i] > 0;
    }
    return whole || seeds < SEEDS_OF_ALL;
}

static int usage(void)
{
    fputs("usage: sim [--seed S] [--seeds N] [--seconds T] [--steps N] [--trace] [--keep-going] "
          "[--happened] [--keep FILE]\n"
          "  --seed S      the first seed, and without --seeds or --seconds the only one; default: "
          "drawn\n"
          "  --seeds N     so many seeds\n"
          "  --seconds T   as many as there is time for; says how far it is, and ends at SIGTERM\n"
          "  --steps N     ends after N steps of each\n"
          "  --trace       a line for each step\n"
          "  --keep-going  a finding does not end it\n"
          "  --keep FILE   a failed seed is added to it, with why\n"
          "  --happened    tells how often each thing happened\n",
          stderr);
    return 64;
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)time(NULL) * 1000003u;
    unsigned long seeds = 0, seconds = 0, steps = 0, done = 0, findings = 0, told_at = 0;
    bool trace = false, keep_going = false, told = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0)
            trace = true;
        else if (strcmp(argv[i], "--keep-going") == 0)
            keep_going = true;
        else if (strcmp(argv[i], "--happened") == 0)
            told = true;
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoul(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = strtoul(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--keep") == 0)
            keep = value, i++;
        else if (strcmp(argv[i], "--steps") == 0)
            steps = strtoul(value, NULL, 10), i++;
        else
            return usage();
    }
    out = fdopen(dup(1), "w");
    int to = trace ? 1 : open("/dev/null", O_WRONLY);
    dup2(to, 2);
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    signal(SIGPROF, on_signal);
    signal(SIGINT, on_end);
    signal(SIGTERM, on_end);
    members_open();
    time_t began = time(NULL);
    unsigned long total_steps = 0, passed = 0;
    for (;; seed++) {
        hang_expect();
        history_open(seed, trace, steps);
        history_run();
        total_steps += sim.steps;
        done++;
        if (sim.failed) {
            finding_tell(sim.why);
            findings++;
        }
        passed = (unsigned long)(time(NULL) - began);
        if (ends || (findings && !keep_going) || (!seeds && !seconds) || (seeds && done >= seeds) ||
            (seconds && passed >= seconds))
            break;
        if (passed >= told_at + TELL_SECONDS) {
            progress_tell(done, total_steps, findings, passed);
            told_at = passed;
        }
    }
    progress_tell(done, total_steps, findings, passed);
    if (!ends && (seeds > 1 || seconds))
        findings += !happened_tell(done, told);
    return findings ? 1 : 0;
}
