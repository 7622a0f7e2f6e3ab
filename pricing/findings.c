/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/findings.h"

void findings_report(const struct book *book, finding_fn *finding, void *context)
{
    (void)book;
    (void)finding;
    (void)context;
}
