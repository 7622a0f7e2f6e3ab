/* SPDX-License-Identifier: Apache-2.0 */
/* The order rows are written in: by key, and of rows with one key the first to arrive first. */
#ifndef STORE_ROW_ORDER_H
#define STORE_ROW_ORDER_H

#include "store/batch.h"

/* By start time, then identity: the key of spend_logs. */
int row_key_compare(const struct batch_row *a, const struct batch_row *b);

/* The place in the encoded bytes is the order of arrival. */
void rows_sort(struct batch_row *rows, size_t count);

#endif
