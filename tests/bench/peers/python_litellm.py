#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""python_litellm.py BROKERS TOPIC GROUP CONNINFO: consume, price with litellm, COPY, as one would write it at first.

Writes public.peer until it is stopped. No exactly once: offsets are not kept; the primary key keeps resends out.
"""
import json
import sys
from datetime import datetime, timezone

import confluent_kafka
import litellm
import psycopg


def price(event):
    try:
        return sum(litellm.cost_per_token(model=event["model"], custom_llm_provider=event["custom_llm_provider"],
                                          usage_object=litellm.Usage(**event["metadata"]["usage_object"])))
    except Exception:  # litellm raises many kinds for a model it does not know
        return None


def row(event):
    metadata, usage = event["metadata"], event["metadata"]["usage_object"]
    return (event["litellm_call_id"], datetime.fromtimestamp(event["startTime"], timezone.utc), event["model"],
            event["custom_llm_provider"], metadata["user_api_key_hash"], metadata["user_api_key_team_id"],
            event["end_user"], event["prompt_tokens"], event["completion_tokens"], event["total_tokens"],
            usage["prompt_tokens_details"]["cached_tokens"], price(event))


def main(brokers, topic, group, conninfo):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": group,
                                         "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TEMP TABLE batch (LIKE public.peer)")
        connection.commit()
        while True:
            messages = [m for m in consumer.consume(10000, 1.0) if not m.error()]
            with connection.cursor().copy("COPY batch FROM STDIN") as copy:
                for message in messages:
                    copy.write_row(row(json.loads(message.value())))
            connection.execute("INSERT INTO public.peer SELECT * FROM batch ON CONFLICT DO NOTHING")
            connection.execute("TRUNCATE batch")
            connection.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
