#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""python_litellm.py BROKERS TOPIC CONNINFO COUNT: consume, price with litellm, COPY, as one would write it at first.

Prints events a second. No exactly once: offsets are not kept; the primary key keeps resends out.
"""
import json
import sys
import time

import confluent_kafka
import litellm
import psycopg


def price(event):
    usage = event["metadata"]["usage_object"]
    try:
        return sum(litellm.cost_per_token(model=event["model"], custom_llm_provider=event["custom_llm_provider"],
                                          prompt_tokens=usage["prompt_tokens"],
                                          completion_tokens=usage["completion_tokens"]))
    except Exception:  # litellm raises many kinds for a model it does not know
        return None


def main(brokers, topic, conninfo, count):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": "peer",
                                         "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    done, started = 0, None
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE public.peer (id text PRIMARY KEY, at double precision, model text, "
                           "team text, input bigint, output bigint, spend double precision)")
        connection.execute("CREATE TEMP TABLE batch (LIKE public.peer)")
        connection.commit()
        while done < count:
            messages = [m for m in consumer.consume(min(10000, count - done), 5.0) if not m.error()]
            if not messages:
                raise SystemExit("the topic holds too few events")
            started = started or time.monotonic()
            with connection.cursor().copy("COPY batch FROM STDIN") as copy:
                for message in messages:
                    event = json.loads(message.value())
                    copy.write_row((event["litellm_call_id"], event["startTime"], event["model"],
                                    event["metadata"]["user_api_key_team_id"], event["prompt_tokens"],
                                    event["completion_tokens"], price(event)))
            connection.execute("INSERT INTO public.peer SELECT * FROM batch ON CONFLICT DO NOTHING")
            connection.execute("TRUNCATE batch")
            connection.commit()
            done += len(messages)
    print(done / (time.monotonic() - started))
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
