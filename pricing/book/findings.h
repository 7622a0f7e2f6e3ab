/* SPDX-License-Identifier: Apache-2.0 */
/* What a loaded book makes one wonder about: never fatal (book.h, finding_fn). */
#ifndef PRICING_BOOK_FINDINGS_H
#define PRICING_BOOK_FINDINGS_H

#include "pricing/book/editions.h"

void findings_report(const struct book *book, finding_fn *finding, void *context);

#endif
