# SPDX-License-Identifier: Apache-2.0
"""LiteLLM callback that puts what every call is billed by on a Kafka topic, for spendlog.

    pip install confluent-kafka                # beside litellm
    # config.yaml of the LiteLLM proxy, this file lying beside it:
    #   litellm_settings: {callbacks: litellm_callback.to_kafka}
    # in a program of your own:
    #   litellm.callbacks = [litellm_callback.to_kafka]

Environment: KAFKA_BROKERS (default localhost:9092), KAFKA_TOPIC (default llm.usage), KAFKA_UNSENT (the folder
that keeps events until they are delivered, default ~/.local/state/spendlog) and KAFKA_UNSENT_MAX_BYTES (16777216);
KAFKA_PROPERTIES: properties of librdkafka as a JSON object, for TLS and passwords.

What is sent is LiteLLM's StandardLoggingPayload without prompts and answers: of those only lengths are priced, and
they are counted here (spendlog 0.2.0 reads that). An event is in a file until Kafka has it; what the broker does not
take is tried once more in the short form, told in the log, and sent by the next start, to the topic that is set then.
One that comes twice is not a second row: spendlog knows the call.
"""
import atexit
import fcntl
import glob
import json
import logging
import math
import os
import threading
import time

from confluent_kafka import KafkaError, KafkaException, Producer
from litellm.integrations.custom_logger import CustomLogger

log = logging.getLogger("litellm_callback")

# --- what is sent ---------------------------------------------------------------------------------------------

# Members of the payload that are sent as they are.
PLAIN = {"api_base", "cache_hit", "call_type", "completionStartTime", "completion_tokens", "cost_breakdown",
         "custom_llm_provider", "endTime", "end_user", "hidden_params", "id", "litellm_call_id", "model", "model_group",
         "model_id", "prompt_tokens", "request_tags", "requester_ip_address", "response_cost", "session_id", "startTime",
         "status", "status_fields", "stream", "total_tokens", "trace_id"}
# Members that nobody bills by.
LEFT_OUT = {"messages", "model_map_information", "metadata"}
# All others may quote the call somewhere inside: their numbers and structure are kept, and texts under these keys.
TEXT_KEYS = {
    "background", "code", "depth", "endpoint", "error_class", "error_code", "finish_reason", "format", "guardrail_mode",
    "guardrail_name", "guardrail_provider", "guardrail_status", "id", "image_size", "inference_geo", "llm_provider", "mode",
    "model", "object", "output_file_id", "output_format", "quality", "resolution", "role", "search_context_size",
    "search_depth", "service_tier", "size",
    "speed", "status", "task", "tier", "type", "video_resolution"}
# What is long and counts nothing, or was written by the model or the caller, wherever it stands inside.
BULK_KEYS = {"args", "arguments", "b64_json", "bytes", "embedding", "functionCall", "logprobs", "parameters", "parsed",
             "schema", "segments", "words"}
# Figures: all of it is kept, texts too, as prices and counts may come as text.
FIGURE_KEYS = {"usage", "usage_info", "usage_metadata", "usageMetadata", "billed_units", "tool_usage"}
# Of a call of the image tool what it is billed by; the provider writes them, not the model.
IMAGE_TOOL_KEYS = ("quality", "size")
# Of the metadata what says who pays; `requester_metadata` and its like may hold anything: of that only PARENT is sent.
METADATA_KEYS = {"usage_object", "additional_usage_values", "spend_logs_metadata", "requester_ip_address", "batch_models",
                 "team_id", "team_alias", "tags", "status", "error_information", "cost_breakdown"}
PARENT = ("parent_id", "parent_run_id")  # the call that made this one, where the caller says it
TEXT_MAX = 512                # of a text in the short form
TAGS_MAX = 16                 # likewise
LABELS_MAX = 32 * 1024        # bytes of spend_logs_metadata; spendlog stores no more
PIECE_BYTES = 256 * 1024      # of a file of the outbox
SPEECH = ("speech", "aspeech")


def number(value):
    return value if math.isfinite(value) else None


def plain(value, text_max=None):
    """As it is, for JSON: no NaN, no objects."""
    if isinstance(value, dict):
        return {str(key): plain(member, text_max) for key, member in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(element, text_max) for element in value]
    if isinstance(value, float):
        return number(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(), text_max)
    return str(value)[:text_max]


def guarded(value, key=""):
    """The structure with its numbers; of texts only those whose key says that they are not content."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if key in FIGURE_KEYS:
        return plain(value, TEXT_MAX)
    if isinstance(value, dict):
        if str(value.get("type", "")).endswith(("_use", "_call")):  # its members are named by the model or the caller
            kept = ("type", "status", "usage") + (IMAGE_TOOL_KEYS if value["type"] == "image_generation_call" else ())
            value = {name: member for name, member in value.items() if name in kept}
        return {str(name): guarded(member, str(name)) for name, member in value.items()
                if name not in BULK_KEYS and (name in TEXT_KEYS or not isinstance(member, str))}
    if isinstance(value, (list, tuple)):  # numbers in it are coordinates
        # A realtime session has thousands of pieces of audio and text, which are billed by the events around them.
        whole = [one for one in value if not (isinstance(one, dict) and str(one.get("type", "")).endswith(".delta"))]
        return [guarded(one, key) for one in whole if not isinstance(one, (int, float)) or isinstance(one, bool)]
    if isinstance(value, str):
        return value[:TEXT_MAX] if key in TEXT_KEYS else None
    return plain(value)


def parameters_of(parameters):
    kept = guarded(parameters)
    query = parameters.get("query") if isinstance(parameters, dict) else None
    if query:  # of a search: what counts is how many
        kept["query"] = ["-"] * len(query) if isinstance(query, (list, tuple)) else "-"
    return kept


def metadata_of(metadata):
    kept = {key: plain(value) for key, value in metadata.items()
            if key in METADATA_KEYS or key.startswith("user_api_key_") or isinstance(value, (bool, int))}
    if len(json.dumps(kept.get("spend_logs_metadata"))) > LABELS_MAX:
        kept["spend_logs_metadata"] = None
    requester = metadata.get("requester_metadata")
    if isinstance(requester, dict):
        kept["requester_metadata"] = {key: requester[key][:TEXT_MAX] for key in PARENT if isinstance(requester.get(key), str)}
    tool = metadata.get("mcp_tool_call_metadata")
    if isinstance(tool, dict):
        kept["mcp_tool_call_metadata"] = {key: plain(tool.get(key)) for key in (
            "name", "mcp_server_name", "mcp_server_cost_info")}
    return kept


def characters(text):
    """As Vertex AI counts: white space is free."""
    return sum(not one.isspace() for one in text) if isinstance(text, str) else 0


def counted(payload):
    """Lengths of what is not sent, for the models that are billed by them."""
    counts = {}
    messages, response = payload.get("messages"), payload.get("response")
    if payload.get("call_type") in SPEECH:
        texts = [one.get("content") for one in messages if isinstance(one, dict)] if isinstance(messages, list) else [messages]
        counts["speech_characters"] = sum(map(characters, texts))
    choices = response.get("choices") if isinstance(response, dict) else None
    if isinstance(choices, list):
        answers = [one.get("message") for one in choices if isinstance(one, dict)]
        counts["answer_characters"] = sum(characters(one.get("content")) for one in answers if isinstance(one, dict))
    return counts


def accounting(payload):
    """What a call is billed by, and who pays."""
    event = {key: plain(value) if key in PLAIN else guarded(value, key)
             for key, value in payload.items() if key not in LEFT_OUT}
    event["model_parameters"] = parameters_of(payload.get("model_parameters"))
    if isinstance(payload.get("metadata"), dict):
        event["metadata"] = metadata_of(payload["metadata"])
    counts = counted(payload)
    if counts:
        event["counted"] = counts
    return event


def shorter(event):
    """Without labels, long texts cut: the same price."""
    event = plain(event, TEXT_MAX)
    if event.get("metadata"):
        event["metadata"]["spend_logs_metadata"] = None
    if event.get("request_tags"):
        event["request_tags"] = event["request_tags"][:TAGS_MAX]
    return event


def encode(event):
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode()


# --- what is on its way ---------------------------------------------------------------------------------------

class Piece:
    """A file of events on their way, a line each; gone when all of them are settled. Locked while its process lives."""

    def __init__(self, file, left=0, size=0):
        self.file, self.left, self.size = file, left, size


class Outbox:
    """Every event is in a file until Kafka has it, whatever becomes of this process: the next one sends the rest."""

    def __init__(self, folder, bytes_max):
        self.prefix = os.path.join(folder, "unsent-")
        self.bytes_max = bytes_max
        self.lock = threading.Lock()
        self.pieces = []
        self.open = None  # the one of them that takes what comes; what others have left takes nothing

    def add(self, line):
        """The piece that holds it; None: no room, or the file cannot be written."""
        try:
            with self.lock:
                if sum(piece.size for piece in self.pieces) + len(line) > self.bytes_max:
                    return None
                if not self.open or self.open.size > PIECE_BYTES:
                    self.open = self.begin()
                    self.pieces.append(self.open)
                piece = self.open
                self.write(piece, line + b"\n")
                piece.left += 1
                return piece
        except OSError as error:
            log.error("cannot keep events in %s*: %s", self.prefix, error)
            return None

    @staticmethod
    def write(piece, line):
        """All of it or, when the disk is full, nothing: the next line would go on where it was cut."""
        written = 0
        try:
            written = piece.file.write(line)
        finally:
            if written != len(line):
                piece.file.truncate(piece.size)
                piece.file.seek(piece.size)
        if written != len(line):
            raise OSError(f"{written} of {len(line)} bytes written")
        piece.size += len(line)

    def begin(self):
        os.makedirs(os.path.dirname(self.prefix), mode=0o700, exist_ok=True)
        path = f"{self.prefix}{os.getpid()}-{time.time_ns()}.jsonl"
        file = open(path, "xb", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))
        fcntl.flock(file, fcntl.LOCK_EX)
        return Piece(file)

    def settle(self, piece):
        """One event of the piece needs no file any more."""
        with self.lock:
            piece.left -= 1
            if piece.left == 0:
                os.unlink(piece.file.name)
                piece.file.close()
                self.pieces.remove(piece)
                self.open = None if piece is self.open else self.open

    def take(self):
        """[(piece, lines)]: what processes that ended have left."""
        taken = []
        for path in sorted(glob.glob(glob.escape(self.prefix) + "*.jsonl")):
            try:
                file = open(path, "rb")
            except FileNotFoundError:
                continue  # another worker was quicker
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            text = file.read()
            lines = text.split(b"\n")[:-1]  # a line without its end was cut by the end of its process
            piece = Piece(file, len(lines), len(text))
            if lines:
                self.pieces.insert(0, piece)
                taken.append((piece, lines))
            else:
                os.unlink(path)
                file.close()
        return taken


class ToKafka(CustomLogger):
    def __init__(self):
        super().__init__()
        self.topic = os.environ.get("KAFKA_TOPIC", "llm.usage")
        folder = os.environ.get("KAFKA_UNSENT") or os.path.expanduser("~/.local/state/spendlog")
        self.outbox = Outbox(folder, int(os.environ.get("KAFKA_UNSENT_MAX_BYTES", 16 << 20)))
        self.producer = Producer({
            "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:9092"), "enable.idempotence": True,
            "linger.ms": 5, "compression.type": "lz4",
            "message.timeout.ms": 0,  # a broker that is away is waited for; the outbox has the bound
            **json.loads(os.environ.get("KAFKA_PROPERTIES", "{}"))})
        atexit.register(self.producer.flush, 10)
        threading.Thread(target=self.serve, name="litellm_callback", daemon=True).start()
        for piece, lines in self.outbox.take():
            log.warning("sending %d events that were kept in %s", len(lines), piece.file.name)
            for line in lines:
                self.send(line, piece)

    # LiteLLM from 1.110 on calls these by keyword: the names are part of them.

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        try:
            value = encode(accounting(kwargs["standard_logging_object"]))
        except Exception:  # whatever it is, the log has to say that this call is not counted
            log.exception("event LOST: call %s", kwargs.get("litellm_call_id"))
            return
        piece = self.outbox.add(value)
        if piece is None:
            log.error("no room to keep an event until it is delivered: lost if this process ends before that")
        self.send(value, piece)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    def log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    def send(self, value, piece, again=False):
        try:
            self.producer.produce(self.topic, value,
                                  on_delivery=lambda error, _message: self.report(value, piece, again, error))
        except BufferError:
            self.report(value, piece, again, KafkaError(KafkaError._QUEUE_FULL))
        except KafkaException as failed:
            self.report(value, piece, again, failed.args[0])

    def report(self, value, piece, again, error):
        """The delivery report: an event is gone only when Kafka has it, a file keeps it, or the log says so."""
        too_large = error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE
        if error is not None and not again:
            log.warning("event not delivered (%s): trying again in the short form", error)
            self.send(encode(shorter(json.loads(value))), piece, again=True)
        elif error is not None and piece is not None and not too_large:
            log.error("event not delivered (%s): kept in %s for the next start", error, piece.file.name)
        else:
            if error is not None:
                log.error("event LOST (%s): %s", error, value[:2048].decode(errors="replace"))
            if piece is not None:
                self.outbox.settle(piece)

    def serve(self):
        """Reports come when somebody asks for them, also when no call follows."""
        while True:
            self.producer.poll(0.5)


to_kafka = ToKafka()
