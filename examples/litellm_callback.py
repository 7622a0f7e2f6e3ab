# SPDX-License-Identifier: Apache-2.0
"""LiteLLM callback that puts every call's StandardLoggingPayload on a Kafka topic, for spendlog.

    pip install confluent-kafka                # beside litellm
    # config.yaml of the LiteLLM proxy, this file lying beside it:
    #   litellm_settings: {callbacks: litellm_callback.to_kafka}
    # in a program of your own:
    #   litellm.callbacks = [litellm_callback.to_kafka]
    # environment: KAFKA_BROKERS (default localhost:9092), KAFKA_TOPIC (default llm.usage)
"""
import atexit
import json
import os

from confluent_kafka import Producer
from litellm.integrations.custom_logger import CustomLogger


class ToKafka(CustomLogger):
    def __init__(self):
        super().__init__()
        self.topic = os.environ.get("KAFKA_TOPIC", "llm.usage")
        self.producer = Producer({"bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:9092"),
                                  "enable.idempotence": True, "linger.ms": 50})
        atexit.register(self.producer.flush, 10)

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.producer.produce(self.topic, json.dumps(kwargs["standard_logging_object"], default=str))
        self.producer.poll(0)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    log_failure_event = log_success_event
    async_log_failure_event = async_log_success_event


to_kafka = ToKafka()
