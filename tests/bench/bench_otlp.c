/* SPDX-License-Identifier: Apache-2.0 */
/* links: ingest */
/*
 * OTLP as protobuf beside the same requests as JSON, in turn in one run: CPU microseconds per
 * request on one core, with the mappings of OTLP alone. The samples of tests/cases/otlp; best of
 * the rounds. `ratio` is JSON's time by protobuf's.
 */
#include "ingest/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define REPEATS 200
#define SAMPLES_MAX 256
#define SAMPLES "tests/cases/otlp/samples.jsonl"

struct sample {
    struct slice json, protobuf;
};

static struct sample samples[SAMPLES_MAX];
static size_t sample_count;

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct slice keep(const char *p, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    if (!copy)
        abort();
    memcpy(copy, p, bytes);
    return (struct slice){copy, bytes};
}

static struct slice base64_keep(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char out[1 << 20];
    unsigned bits = 0, v = 0;
    size_t n = 0;
    for (; *text && *text != '=' && *text != '"'; text++) {
        v = v << 6 | (unsigned)(strchr(digits, *text) - digits);
        bits += 6;
        if (bits >= 8)
            out[n++] = (char)(v >> (bits -= 8) & 0xff);
    }
    return keep(out, n);
}

static void samples_read(void)
{
    static const char before_json[] = ",\"json\":", before[] = ",\"protobuf\":\"";
    static char line[1 << 20];
    FILE *file = fopen(SAMPLES, "r");
    while (file && sample_count < SAMPLES_MAX && fgets(line, sizeof line, file)) {
        char *json = strstr(line, before_json), *protobuf = strstr(line, before);
        if (!json || !protobuf)
            continue;
        json += sizeof before_json - 1;
        samples[sample_count].json = keep(json, (size_t)(protobuf - json));
        samples[sample_count++].protobuf = base64_keep(protobuf + sizeof before - 1);
    }
    if (file)
        fclose(file);
}

static void on_record(const struct record *record, void *context)
{
    uint64_t *sum = context;
    if (record->outcome == RECORD_EVENT)
        *sum += record->event->content_hash;
}

static double round_us(struct mapper *mapper, struct arena *batch, bool protobuf, uint64_t *sum)
{
    double start = cpu_us();
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        arena_reset(batch);
        for (size_t i = 0; i < sample_count; i++) {
            struct message message = {.bytes = protobuf ? samples[i].protobuf : samples[i].json,
                                      .kafka_time_us = 1};
            mapper_read(mapper, &message, batch, on_record, sum);
        }
    }
    return (cpu_us() - start) / (REPEATS * (double)sample_count);
}

int main(void)
{
    static const char *const names[] = {"otlp", "claude-code"};
    struct err err = {0};
    struct mappings *set = mappings_compile(names, 2, NULL, &err);
    struct mapper *mapper = set ? mapper_new(set) : NULL;
    struct arena batch;
    double best[2] = {1e9, 1e9}, bytes[2] = {0, 0};
    uint64_t sum[2] = {0, 0};
    samples_read();
    if (!mapper || sample_count == 0) {
        fprintf(stderr, "bench_otlp: %s\n", mapper ? "no samples" : err.text);
        return 1;
    }
    arena_init(&batch, 64u << 20);
    for (int round = 0; round < ROUNDS; round++)
        for (int protobuf = 0; protobuf < 2; protobuf++) {
            double us = round_us(mapper, &batch, protobuf, &sum[protobuf]);
            best[protobuf] = us < best[protobuf] ? us : best[protobuf];
        }
    for (size_t i = 0; i < sample_count; i++) {
        bytes[0] += (double)samples[i].json.bytes / (double)sample_count;
        bytes[1] += (double)samples[i].protobuf.bytes / (double)sample_count;
    }
    printf("{\"requests\": %zu, \"json_bytes\": %.0f, \"json_us\": %.2f, \"protobuf_bytes\": %.0f, "
           "\"protobuf_us\": %.2f, \"ratio\": %.2f}\n",
           sample_count, bytes[0], best[0], bytes[1], best[1], best[0] / best[1]);
    if (sum[0] != sum[1])
        fprintf(stderr, "bench_otlp: the two forms do not give the same facts\n");
    arena_free(&batch);
    mapper_free(mapper);
    mappings_free(set);
    return sum[0] != sum[1];
}
