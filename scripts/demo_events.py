#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print usage events with their times moved up to now, one message a line, ready for kcat -P.

    scripts/demo_events.py tests/cases/demo/litellm-events.jsonl | kcat -b BROKERS -t llm.usage -P

All events move by the same number of whole days, so the time of day (off-peak prices), durations and
order stay. The newest one then lies within the last 24 hours.
"""
import argparse
import json
import sys
import time

DAY_S = 86400
TIMES = ("startTime", "endTime", "completionStartTime")


def events(message):
    return message if isinstance(message, list) else [message]


def shift_days(messages, now_s):
    newest = max(event["startTime"] for message in messages for event in events(message))
    return (now_s - newest) // DAY_S


def move(message, days):
    for event in events(message):
        for name in TIMES:
            if isinstance(event.get(name), (int, float)):
                event[name] += days * DAY_S


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="+")
    parser.add_argument("--now", type=float, default=time.time(), help="seconds since 1970, instead of the clock")
    args = parser.parse_args()

    messages = []
    for path in args.file:
        with open(path, encoding="utf-8") as lines:
            messages += [json.loads(line) for line in lines if line.strip()]
    days = shift_days(messages, args.now)
    for message in messages:
        move(message, days)
        json.dump(message, sys.stdout, separators=(",", ":"))
        print()


if __name__ == "__main__":
    main()
