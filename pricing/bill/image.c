/* SPDX-License-Identifier: Apache-2.0 */
/* Images made and edited (docs/pricing.md 8.3): by the formula of the provider. No tools, no
 * discount, no margin. */
#include "pricing/bill/call.h"
#include "pricing/bill/formulas.h"

enum outcome image_price(struct call *call)
{
    call->skips_extras = true;
    return formulas_of(call->plan->provider)->image(call);
}
