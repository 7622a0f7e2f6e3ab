/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes and backslashes are escaped; a line end would be another metric. */
#include "run/metric_text.h"

void metric_label_add(struct buf *page, const char *name, struct slice text)
{
    buf_printf(page, "%s=\"", name);
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.p[i] == '\\' || text.p[i] == '"')
            buf_add_char(page, '\\');
        buf_add_char(page, (unsigned char)text.p[i] < ' ' ? ' ' : text.p[i]);
    }
    buf_add_char(page, '"');
}
