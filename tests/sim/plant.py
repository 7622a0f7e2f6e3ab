#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Faults are planted one at a time, and each has to be found.

    tests/sim/plant.py [NAME]...      --list names the faults; --seeds N tries so many of each (1000)

In a copy of the tree, as tests/mutation/run.py: the text of a fault is replaced, the simulator is built and runs seeds until one
fails.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from collections import namedtuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness.copy import Copy, print_texts_missing  # noqa: E402  (the path comes first)

SIM = "build/release/tests/sim/sim"

# name: what is wrong then; edits: (text, instead of it), each text in one source file, once
Fault = namedtuple("Fault", "name edits seeds", defaults=(1000,))  # seeds: within how many it has to be found

FAULTS = (
    Fault("recent keys are kept over a reconnect and believed", (
        ("    recent_keys_forget(&w->recent);\n    w->book_hash[0]", "    w->book_hash[0]"),
        ("        if (first != i)\n            mark_duplicate(row, ROW_DUPLICATE_NEAR, batch->rows[first].content_hash);",
         "        if (row->suspected)\n            mark_duplicate(row, ROW_DUPLICATE_STORED, row->content_hash);\n"
         "        if (first != i)\n            mark_duplicate(row, ROW_DUPLICATE_NEAR, batch->rows[first].content_hash);"))),
    Fault("offsets are written after the commit", (
        ("           write_offsets(w, batch, err);\n}", "           true;\n}\n\n"
         "bool offsets_after(struct writer *w, struct batch *batch, struct err *err);\n"
         "bool offsets_after(struct writer *w, struct batch *batch, struct err *err)\n{\n"
         "    return write_offsets(w, batch, err);\n}"),
        ("    MUST(pg_inside(&w->pg), w->batch_id);\n    return commit(w, err);",
         "    extern bool offsets_after(struct writer *, struct batch *, struct err *);\n"
         "    return commit(w, err) && offsets_after(w, batch, err);"),
        ("    MUST(pg_inside(&w->pg) && w->batch_id > 0, w->batch_id);\n    pg_args_reset", "    pg_args_reset"))),
    Fault("a row is forgotten when a batch is begun again", (
        ("    w->fenced = w->guard_again = false;\n    rows_mark_near(w, batch);\n",
         "    w->fenced = w->guard_again = false;\n    rows_mark_near(w, batch);\n"
         "    if (w->look_first && batch->row_count > 2)\n        batch->rows[1].fate = ROW_DUPLICATE_NEAR;\n"),)),
    Fault("the compare-and-set is dropped", (
        ("        return offset == range->first_offset && index == range->first_index;", "        return true;"),
        ("    bool all = (size_t)pg_int(res, 0, 0) == batch->range_count;\n    w->written_at", "    bool all = true;\n    w->written_at"))),
    Fault("sums are not taken back for a duplicate", (
        ("        if (batch->rows[i].fate == ROW_NEW)\n            sums_count(", "        if (batch->rows[i].fate != ROW_REFUSED)\n            sums_count("),)),
    Fault("the index of a sibling is ignored", (
        ("    m.first_index = first_index(rc, range);", "    m.first_index = 0 * first_index(rc, range);"),)),
    Fault("a dictionary entry is thought known after a failover", (
        ("        if (!pg_int(res, 0, LOCK_KNOWN))", "        if (false)"),
        ("    days_known_forget(&w->days);\n    words_known_forget(&w->known);\n}", "    days_known_forget(&w->days);\n}"))),
    Fault("a batch is split wrongly at its limit", (
        ("    rc->next_index = record->index;\n", "    rc->next_index = record->index + 1;\n"),)),
    Fault("the last message of a topic is not looked at", (
        ("    if (message->offset >= p->state.last.from)\n", "    if (p->look_from < 0)\n        return false;\n    if (message->offset >= p->state.last.from)\n"),)),
    Fault("messages before a mark are not compared", (
        ("    if (message->offset >= p->state.last.from)\n", "    if (p->look_from >= 0)\n        return false;\n    if (message->offset >= p->state.last.from)\n"),)),
    Fault("offsets are counted, not read", (
        ("    range->next_offset = message->offset + !rc->split;", "    range->next_offset += !rc->split;"),)),
    Fault("a record that was tried again stays rejected", (
        ("    if (count == 0)\n        return true;\n    for (size_t i = 0; i < count; i++)\n        batch->resolved[i].resolution",
         "    if (count < 9)\n        return true;\n    for (size_t i = 0; i < count; i++)\n        batch->resolved[i].resolution"),)),
    Fault("a retry does not take its records from those that are rejected", (
        ("    range->rejected--;\n", "    range->rejected -= skipped;\n"),)),
    Fault("a memory of words that is full is not emptied", (
        ("            if (known->count[t] == WORDS_KNOWN_SLOTS / 2)\n                table_clear(known, t);\n", ""),)),
    # what the simulator found, put back
    Fault("a mark in the last message's place proves nothing", (
        ("    if (p->told)\n        return LANE_FINE;\n    if (!looked", "    if (p || p->told)\n        return LANE_FINE;\n    if (!looked"),)),
    Fault("a first message that is stored in part is not looked at", (
        ("    return of->next_offset + lane_partly(p) > 0 && ", "    return of->next_offset > 0 && "),)),
    Fault("what is not even asked of PostgreSQL is its refusal of a row", (
        ("    w->pg.sqlstate[0] = '\\0'; /* what fails before the server is asked is not its refusal */\n    if (copy_range", "    if (copy_range"),)),
    Fault("a batch is written that was priced without memory", (
        ("    if (shortage_was(err))\n        return false;\n    if (!writer_connect", "    if (!writer_connect"),)),
    Fault("a row that is refused guards its identity", (
        ("    if (!rows_guard_stands(w, batch))\n", "    if (!rows_guard_stands(w, batch) && !w->guard_again)\n"),)),
    # repricing
    Fault("a run that is gone on with prices again what it has done", (
        ("    if (shape->done >= 0 && copy_int(&field[shape->done]) != 0)\n        return true;\n", ""),)),
    Fault("what a run did not change is counted by each try of its slice", (
        ("    memset(&run->rest, 0, sizeof(run->rest));\n", ""),
        ("    for (unsigned attempt = 1; !slice_try(run, day, method, last, err); attempt++) {\n        pg_rollback(&run->write);",
         "    for (unsigned attempt = 1; !slice_try(run, day, method, last, err); attempt++) {\n        pg_rollback(&run->write);\n"
         "        if (last)\n            reprice_slice_close(run);"),)),
    Fault("a run goes on in a session that has no claims", (
        ("\" AND current_setting('spendlog.repricing', true) = 'on'\"", "\"\""),), 5000),  # a session that is replaced between two statements
    Fault("an older run posts for what a newer one has posted", (
        ("        return VERDICT_NEWER;\n", "        MUST(shape->newer < shape->count);\n"),)),
    Fault("a book that went back ends the service", (
        ('err_set(err, ERR_RETRY, "price book %.12s is not stored any more", hash)',
         'err_set(err, ERR_FATAL, "price book %.12s is not stored any more", hash)'),), 5000),  # between two statements
)


def finding(copy, seeds):
    """The line of the first seed that fails; None: none does."""
    copy.build(SIM)
    run = subprocess.run([SIM, "--seed", "1", "--seeds", str(seeds)], cwd=copy.folder, capture_output=True, text=True, check=False)
    return next((line for line in run.stdout.splitlines() if line.startswith("seed ")), None) if run.returncode else None


def plant(copy, fault, seeds):
    with copy.replaced(fault.edits):
        return finding(copy, seeds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--texts", action="store_true", help="those that do not stand in the sources, and nothing else")
    parser.add_argument("--seeds", type=int, help="of each; else as many as its row says")
    parser.add_argument("-k", type=int, default=2, help="processes of make")
    args = parser.parse_args()
    if args.texts:
        return print_texts_missing("tests/sim/plant.py", ((fault.name, fault.edits) for fault in FAULTS))
    chosen = [fault for fault in FAULTS if not args.names or fault.name in args.names]
    if args.list or len(chosen) < len(args.names):
        print("\n".join(fault.name for fault in FAULTS))
        return 0 if args.list else 64
    missed = 0
    with tempfile.TemporaryDirectory(prefix="spendlog-plant-") as folder:
        copy = Copy(folder, args.k)
        for fault in chosen:
            seeds = args.seeds or fault.seeds
            try:
                found = plant(copy, fault, seeds)
            except ValueError as error:
                found, missed = None, missed + 1
                print(f"FAILED  {fault.name}: {error}", flush=True)
                continue
            missed += found is None
            print(f"{'found   ' if found else 'MISSED  '}{fault.name}: {found or 'by none of ' + str(seeds) + ' seeds'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
