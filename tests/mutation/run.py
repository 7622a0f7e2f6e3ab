#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Guards are broken one at a time, and each has to be missed by a test.

    tests/mutation/run.py [NAME]...      --list names the guards; -k N builds with N processes

In a copy of the tree, so that nothing of it can stay: a guard's text is replaced, the test that is named is built
and run, and it has to fail. A text is looked for in all sources, wherever its file has gone: one that is not
there exactly once is an error of this table. A mutant that survives is a guard without a test.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from collections import namedtuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness.copy import Copy, print_texts_missing  # noqa: E402  (the path comes first)

TEST_S = 120

# name: what is broken; text and broken: in one source file, once; test: tests/unit/test_X.c that has to fail
Guard = namedtuple("Guard", "name text broken test")

GUARDS = (
    # bounds of what comes from outside
    Guard("digits of a number", "if (scan.digits > DECIMAL_DIGITS_MAX || scan.exponent", "if (scan.exponent", "decimal"),
    Guard("records of a message", "if (mapper->index == RECORDS_MAX) {", "if (mapper->index > RECORDS_MAX + 5) {", "mapper"),
    Guard("wrappers of a message", "for (size_t i = 0; wrappers < WRAPPERS_MAX && i",
          "for (size_t i = 0; wrappers <= WRAPPERS_MAX && i", "mapper"),
    Guard("tokens of an event", "if (count <= limits->tokens)", "if (count <= limits->tokens + 1)", "sanity"),
    Guard("cost of an event", "i128 most = limits->cost * ATTO;", "i128 most = limits->cost * ATTO + 1;", "sanity"),
    Guard("steps of a family's pattern", "if (++run->steps > STEPS_MAX)", "if (++run->steps == STEPS_MAX)",
          "price_key"),
    Guard("size of a file of a zone", "return n > FILE_BYTES_MAX ? NULL : file_read", "return file_read", "ceilings"),
    Guard("usage that lies too deep", "if (depth == DEPTH_MAX) /* whatever", "if (depth == DEPTH_MAX + 9) /* whatever",
          "mapper"),
    # parts and wholes
    Guard("cached tokens beyond the input", "    if (s->cache > s->input)\n        return NUMBERS_OUTSIDE;\n", "", "mapper"),
    Guard("reasoning beyond the output", "    if (s->reasoning > s->output)\n        return NUMBERS_OUTSIDE;\n", "", "mapper"),
    # money
    Guard("half to even", "*atto += rest > unit / 2 || (rest == unit / 2 && (*atto & 1));", "*atto += rest >= unit / 2;",
          "decimal"),
    Guard("the bound of a threshold", "return tokens > above || (inclusive && tokens == above);",
          "return (void)inclusive, tokens >= above;",
          "price"),
    Guard("a member named twice", "if (strcmp(by[i - 1]->key, by[i]->key) == 0)", "if (i == count)", "price_book"),
    Guard("money that a cost map does not explain", "return by_name || is_amount(member) ? MEMBER_UNKNOWN : MEMBER_HARMLESS;",
          "return by_name && is_amount(member) ? MEMBER_UNKNOWN : MEMBER_HARMLESS;", "price_book"),
    Guard("a gateway's 0 says nothing", "decimal_is_zero(gateway) || !own ||", "!own ||", "drift"),
    Guard("ways of drift", "if (drift->way_count == DRIFT_WAYS_MAX) {", "if (drift->way_count == DRIFT_WAYS_MAX + 1) {", "drift"),
    # exactly once
    Guard("a message that comes twice", "if (message->offset < lane->batch.range[range].next_offset) {", "if (message->offset + 9 < lane->batch.range[range].next_offset) {", "lane"),
    Guard("the message stored last", "hash_xxh64(message->value) == p->state.last_hash;", "true;", "lane"),
    Guard("offsets that went back", "if (known <= p->state.next_offset)\n            continue;",
          "if (known <= p->state.next_offset + 100)\n            continue;", "lane"),
    Guard("what lies before a mark", "    if (p->told)\n        return LANE_FINE;\n    if (!looked", "    if (p || p->told)\n        return LANE_FINE;\n    if (!looked", "lane"),
    Guard("the same before a mark", "return last_messages_contradict(&p->state.last,", "return true || last_messages_contradict(&p->state.last,", "lane"),
    Guard("another one before a mark", "return last_messages_contradict(&p->state.last,", "return false && last_messages_contradict(&p->state.last,", "lane"),
    Guard("one that was not there", "            return last->hash[i] != hash;\n    return true;", "            return last->hash[i] != hash;\n    return false;", "last_messages"),
    Guard("a first message in part", "p->known_offset = p->began_offset = p->unchecked_offset = p->look_from = -1;",
          "p->known_offset = p->began_offset = p->look_from = -1;", "lane"),
    Guard("where a lost row begins", "*start = of.began < low ? low : of.began;", "*start = of.offset;", "lane"),
    Guard("what is refused for good", "++lane->refusals == REFUSED_TRIES", "++lane->refusals == REFUSED_TRIES + 90", "lane"),
    Guard("drift of rows that are new", "if (!drift_judge(rc->lane->group->drift, &event->facts, charge, &apart))\n        return;",
          "if (!drift_judge(rc->lane->group->drift, &event->facts, charge, &apart))\n        return;\n"
          "    drift_note(rc->lane->group->drift, &apart);", "lane"),
    Guard("a lost assignment", "if (lane->state == LANE_READING && !lost)", "if (lane->state == LANE_READING)", "lane"),
    Guard("the largest message kept", "        of->hash = hash_xxh64(message->value);\n", "        of->hash = message->value.bytes;\n", "lane"),
    Guard("keys written lately", "if (recent->generation[0].count >= RECENT_GENERATION)",
          "if (recent->generation[0].count >= 16 * RECENT_GENERATION)", "recent_keys"),
    Guard("days that are known", "    if (known->count == DAYS_KNOWN_MAX)\n        days_known_forget(known);\n",
          "    if (known->count == DAYS_KNOWN_MAX)\n        known->count--;\n", "days_known"),
    Guard("times that may be stored", "start_us >= min_us && start_us", "start_us", "batch"),
    # secrets
    Guard("what was encrypted here", "EVP_DecryptFinal_ex(ctx, out + bytes, &n) == 1;", "(EVP_DecryptFinal_ex(ctx, out + bytes, &n), true);",
          "seal"),
    Guard("size of a secret", "bool large = bytes > SECRET_BYTES_MAX,", "bool large = false,", "secret"),
)


def passes(copy, test):
    program = f"build/release/tests/unit/test_{test}"
    copy.build(program)
    try:
        return subprocess.run([program], cwd=copy.folder, capture_output=True, timeout=TEST_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def fault(copy, guard):
    """None: a test misses it."""
    try:
        with copy.replaced([(guard.text, guard.broken)]):
            return f"test_{guard.test} does not miss it" if passes(copy, guard.test) else None
    except ValueError as error:
        return str(error)


def unbroken(copy, guards):
    """What already fails with nothing broken."""
    wrong = []
    for test in sorted({guard.test for guard in guards}):
        try:
            if not passes(copy, test):
                wrong.append(f"test_{test}: fails")
        except ValueError as error:
            wrong.append(f"test_{test}: {error}")
    return wrong


def run(guards, processes):
    with tempfile.TemporaryDirectory(prefix="mutation.") as folder:
        copy = Copy(folder, processes)
        wrong = unbroken(copy, guards)
        for line in wrong:
            print(f"with nothing broken: {line}")
        failed = 0
        for guard in guards if not wrong else ():
            why = fault(copy, guard)
            failed += why is not None
            print(f"{'SURVIVES' if why else 'missed  '} {guard.name}: {why or 'test_' + guard.test}", flush=True)
    print(f"{len(guards)} guards, {failed} survive")
    return 1 if wrong or failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-k", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("name", nargs="*")
    parser.add_argument("--texts", action="store_true", help="those that do not stand in the sources, and nothing else")
    options = parser.parse_args()
    if options.texts:
        return print_texts_missing("tests/mutation/run.py", ((guard.name, [(guard.text, guard.broken)]) for guard in GUARDS))
    if options.list:
        print("\n".join(f"{guard.name:44} test_{guard.test}" for guard in GUARDS))
        return 0
    chosen = [guard for guard in GUARDS if not options.name or guard.name in options.name]
    if len(chosen) < len(set(options.name)):
        parser.error("no such guard; see --list")
    return run(chosen, options.k)


if __name__ == "__main__":
    sys.exit(main())
