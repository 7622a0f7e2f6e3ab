/* SPDX-License-Identifier: Apache-2.0 */
/* seeds: tests/fuzz/seeds/time */
/* What is read as an instant is printed as one that reads back to it; so is any number. */
#include "core/clock.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void check_number(int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    int64_t again;
    size_t length = clock_format(us, text);
    expect(length < CLOCK_TEXT_MAX && text[length] == '\0');
    struct civil date = clock_civil(clock_day_of(us));
    expect(date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= 31);
    expect(clock_days(date) == clock_day_of(us));
    if (date.year >= 0 && date.year <= 9999)
        expect(clock_parse((struct slice){text, length}, &again) && again == us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int64_t us;
    if (clock_parse((struct slice){(const char *)data, bytes}, &us))
        check_number(us);
    if (bytes >= sizeof(us)) {
        memcpy(&us, data, sizeof(us));
        check_number(us);
    }
    return 0;
}
