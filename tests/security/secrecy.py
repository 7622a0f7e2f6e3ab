# SPDX-License-Identifier: Apache-2.0
"""Secrets and what people wrote to models are nowhere they should not be."""
import csv
import hashlib
import io
import json
import os
import random
import re
import time
import urllib.request

from harness.events import payload_of
from harness.report import check, check_equal, wait_for
from harness.servers import run_checked
from harness.world import World
from security.transport import free_port, run_program

SECRETS = {"environment": "planted-3nvironment", "file": "planted-f1le", "credential": "planted-cr3dential"}
RAW_KEYS = ("sk-planted-key-0001", "Bearer sk-planted-key-0002", "BEARER  planted-key-0003", "Basic cGxhbnRlZDprZXkwMDA0",
            "AKIAPLANTEDKEY000005", "0123456789abcdef0123456789abcd06", " sk-planted-key-0007 ", "planted key 8",
            "eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoiMDAwOSJ9.planted0009planted")
# Forms that are known anywhere: in labels, tags and metadata.
KNOWN_KEYS = ("sk-planted-%04d-abcdef", "AKIAPLANTED%09d", "ghp_planted%013dplanted", "xoxb-planted-%08d",
              "eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoi%06d.planted00planted", "Bearer planted%08d", "AIzaplanted%030d")
CANARY = "canary-1n-the-c0al-mine"


def secrets_stay_secret(servers, seed):
    """Passwords from environment, file and credential are absent from argv, logs, check, errors and metrics."""
    with World(servers, "secrets", seed, partitions=1) as world:
        file, folder = os.path.join(world.folder, "secret"), os.path.join(world.folder, "credentials")
        os.makedirs(folder, exist_ok=True)
        for path, value in ((file, SECRETS["file"]),
                            (os.path.join(folder, "SEC_CREDENTIAL"), SECRETS["credential"])):
            with open(path, "w") as out:
                out.write(value + "\n")
        port = free_port()
        config = world.config("planted", lines=(), metrics=f"127.0.0.1:{port}", kafka={
            "sasl.username": f"file:{file}", "sasl.password": "os.environ/SEC_CREDENTIAL"})
        with open(config) as text:
            good = text.read()
        with open(config, "w") as out:
            out.write(good.replace(f"postgres: {world.conninfo('chaos_writer')}", "postgres: os.environ/SEC_PG"))
        conninfo = world.conninfo("chaos_writer") + " password=" + SECRETS["environment"]
        environment = {"SEC_PG": conninfo, "CREDENTIALS_DIRECTORY": folder}
        seen = {}
        for words in (("check",), ("check", "--print"), ("check", "--strict", "-v")):
            done = run_program(*words, "-c", config, environment=environment)
            check(done.returncode in (0, 1), f"{' '.join(words)}: {done.stderr}")
            seen[" ".join(words)] = done.stdout + done.stderr
        member = world.start("-v", environment=environment, config=config)
        feed = world.feed()
        feed.send(30)
        feed.finish()
        world.feeds.clear()
        world.drain(30)
        with open(f"/proc/{member.pid}/cmdline") as line:
            seen["argv"] = line.read()
        seen["metrics"] = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode()
        check("spendlog" in seen["metrics"], "no metrics")
        check_equal(member.end(), 0, "exit code")
        seen["log"] = member.text()
        bad = {**environment, "SEC_PG": conninfo.replace(f"dbname={world.database}", "dbname=not_there")}
        seen["an error of PostgreSQL"] = "".join(
            getattr(run_program("check", "-c", config, environment=bad), name) for name in ("stdout", "stderr"))
        check("not_there" in seen["an error of PostgreSQL"], "the error does not name the database")
        for place, text in seen.items():
            for kind, secret in SECRETS.items():
                check(secret not in text, f"the secret from {kind} is in {place}")
        return f"{len(seen)} places"


def raw_keys_are_hashed(servers, seed):
    """API keys that arrive raw are stored as LiteLLM stores them, SHA-256 in hex, and nowhere else."""
    with World(servers, "keys", seed, partitions=1) as world:
        feed = world.feed()
        for number, key in enumerate(RAW_KEYS):
            payload = payload_of(number, "chaos-small", 10, 10, time.time() - 60)
            payload["metadata"]["user_api_key_hash"] = key
            feed.put(0, json.dumps(payload).encode())
        feed.finish()
        world.feeds.clear()
        check_equal(world.start("--exit-eof").wait(30), 0, "exit code")
        bare = [re.sub("^(bearer|basic) +", "", key.strip(), flags=re.I) for key in RAW_KEYS]
        want = sorted([hashlib.sha256(key.encode()).hexdigest()] for key in bare)
        check_equal(sorted(world.sql("SELECT api_key FROM spendlog.spend_logs")), want, "stored keys")
        dump = dump_of(servers, world)
        for key in bare:
            check(key not in dump, f"the raw key {key} is in the database")
            check(key not in world.members[0].text(), f"the raw key {key} is in the log")


def planted_event(dice, number):
    """An event with a key of a known form in some of its labels; the keys."""
    planted = []

    def key():
        planted.append(dice.choice(KNOWN_KEYS) % (number * 100 + len(planted)))
        return dice.choice(("", "key ", "for=", "(")) + planted[-1] + dice.choice(("", " please", ")", ";"))

    event = payload_of(number, "chaos-small", 10, 10, time.time() - 60)
    places = {"end_user": lambda: event.update(end_user=key()),
              "tags": lambda: event.update(request_tags=["a", key(), key()]),
              "alias": lambda: event["metadata"].update(user_api_key_alias=key()),
              "team": lambda: event["metadata"].update(user_api_key_team_alias=key()),
              "user": lambda: event["metadata"].update(user_api_key_user_id=key()),
              "trace": lambda: event.update(trace_id=key()),
              "metadata": lambda: event["metadata"].update(spend_logs_metadata={"a": [key(), {"b": key()}], key(): 1})}
    for place in dice.sample(sorted(places), 3):
        places[place]()
    return event, planted


def labels_hold_no_key(servers, seed):
    """Keys of known forms that stand in labels, tags and metadata are in no dump of the database, no report and no log."""
    with World(servers, "planted", seed, partitions=1) as world:
        dice, planted = random.Random(seed), []
        feed = world.feed()
        for number in range(120):
            event, keys = planted_event(dice, number)
            planted += keys
            feed.put(0, json.dumps(event).encode())
        feed.finish()
        world.feeds.clear()
        member = world.start("--exit-eof", "-v")
        check_equal(member.wait(30), 0, f"exit code{member.tail()}")
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs WHERE flags & 32 > 0"), [["120"]], "flagged rows")
        seen = {"dump": dump_of(servers, world), "log": member.text()}
        config = world.config("asking", user="spendlog")
        for by in ("user", "key", "tag", "end_user", "team"):
            seen[f"report by {by}"] = run_program("report", "--by", by, "-c", config).stdout
        for place, text in seen.items():
            found = [key for key in planted if key.split(" ")[-1] in text]
            check(not found, f"{found[:3]} in {place}")
        return f"{len(planted)} keys"


def dump_of(servers, world):
    return run_checked(["pg_dump", "-h", servers.socket_folder, "-p", "5432", "-U", "spendlog",
                        world.database])


def plant(value, keep):
    """The same structure with a canary in every text, but under the keys that steer the reading."""
    if isinstance(value, dict):
        return {key: one if key in keep else plant(one, keep) for key, one in value.items()}
    if isinstance(value, list):
        return [plant(one, keep) for one in value]
    return f"{CANARY} {value}" if isinstance(value, str) else value


# What people say to models and what these say back, in the shapes of each format, and what quotes it.
CONTENT = {
    "messages": [{"role": "user", "content": "prompt"}, {"role": "user", "content": [{"type": "text", "text": "prompt"}]}],
    "response": {"id": "r", "choices": [{"message": {"role": "assistant", "content": "answer", "reasoning_content": "thought",
                                                     "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}],
                 "output": [{"type": "message", "content": [{"type": "output_text", "text": "answer"}]}]},
    "input": "prompt", "prompt": "prompt", "output": "answer", "text": "answer", "instructions": "prompt",
    "model_parameters": {"messages": [{"content": "prompt"}], "system": "prompt", "tools": [{"description": "prompt"}],
                         "user": "prompt"},
    "error_str": "the prompt was refused", "error_information": {"error_message": "prompt", "traceback": "prompt"},
    "guardrail_information": [{"guardrail_response": "prompt"}], "hidden_params": {"additional_headers": {"x": "prompt"}},
    "standard_logging_object": {"messages": "prompt"}, "proxy_server_request": {"body": {"messages": "prompt"}},
}


def litellm_event(number):
    event = payload_of(number, "chaos-small", 10, 10, time.time() - 60)
    event.update(plant(CONTENT, keep={"id", "role", "type"}))
    event["metadata"]["requester_metadata"] = {"prompt": CANARY}
    event["metadata"]["vector_store_request_metadata"] = [{"query": CANARY}]
    return event


def other_events(number):
    """Bodies of providers, as they are, with canaries where people's words are."""
    created = int(time.time()) - 60
    yield {"id": f"chatcmpl-o{number}", "object": "chat.completion", "created": created, "model": "chaos-small",
           "choices": [{"index": 0, "message": {"role": "assistant", "content": CANARY, "refusal": CANARY},
                        "finish_reason": "stop"}],
           "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
    yield {"id": f"resp_{number}", "object": "response", "created_at": created, "model": "chaos-small",
           "instructions": CANARY, "status": "completed",
           "output": [{"type": "message", "content": [{"type": "output_text", "text": CANARY}]}],
           "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}
    yield {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-chaos",
           "content": [{"type": "text", "text": CANARY}], "stop_reason": "end_turn",
           "usage": {"input_tokens": 3, "output_tokens": 4}}
    yield {"responseId": f"g{number}", "modelVersion": "gemini-chaos",
           "candidates": [{"content": {"parts": [{"text": CANARY}], "role": "model"}}],
           "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}}


def prompts_are_never_stored(servers, seed):
    """Canaries in every field that holds what people or models said are in no dump of the database and no log."""
    with World(servers, "canaries", seed, partitions=1) as world:
        feed = world.feed()
        for number in range(5):
            feed.put(0, json.dumps(litellm_event(number)).encode())
            for event in other_events(number):
                feed.put(0, json.dumps(event).encode())
        broken = json.dumps({**litellm_event(99), "prompt_tokens": -1})
        feed.put(0, broken.encode())
        feed.put(0, broken[:-20].encode())
        feed.finish()
        world.feeds.clear()
        member = world.start("--exit-eof", "-v", mappings="", lines=["storage: {payloads: drop}"])
        check_equal(member.wait(30), 0, f"exit code{member.tail()}")
        counts = world.sql("SELECT sum(rows), sum(rejected) FROM spendlog.kafka_offsets")[0]
        check(int(counts[0]) >= 20 and int(counts[1]) >= 1, f"rows and rejected: {counts}")
        dump = dump_of(servers, world)
        at = dump.find(CANARY)
        check(at < 0, f"a canary is in the database: ...{dump[max(at - 200, 0):at + 60]!r}")
        check(CANARY not in member.text(), "a canary is in the log")
        wait_for("rows", lambda: "spendlog.spend_logs" in dump, 1)
        return f"{counts[0]} rows, {counts[1]} rejected, {len(dump) // 1024} KB of dump"


PIECES = ("c4nary-One", "c4nary-Two")
# What an operator writes when he forgets to encode: both pieces are his password, or were meant to be.
BETWEEN = ("%zz", "%", "%0", "%00", "/", "@", "?", "#", "[", "]", " ", "  ", "&", "=", ":", "\\", "'", '"', "!", "\t")
SHAPES = ("postgres://u:{}@127.0.0.1:1/db", "postgresql://u:{}@127.0.0.1:1/db?sslmode=disable", "postgres://u:{}@/db",
          "postgres://127.0.0.1:1/db?user=u&password={}", "postgres://127.0.0.1:1/db?user=u&password={}&sslmode=disable",
          "host=127.0.0.1 port=1 user=u password={} dbname=db", "password={}", "host=127.0.0.1 port=1 password='{}' dbname=db",
          "host=127.0.0.1 port=1 password='{} dbname=db", "postgres://u:{}", "{}", "{}@127.0.0.1/db", "u:{}@127.0.0.1/db",
          "postgres://u:{}@127.0.0.1:1,127.0.0.1:2/db", "mysql://u:{}@127.0.0.1/db")
COMMANDS = (("run", "--exit-eof"), ("check",), ("check", "--offline"), ("check", "--print"), ("migrate", "--status"), ("report",),
            ("verify",), ("periods", "list"), ("rejected", "list"), ("rejected", "retry"), ("reprice", "--dry-run"),
            ("explain", "x"), ("exclude", "--list"))


def connection_strings_are_not_repeated(servers, seed):
    """No command repeats a piece of a password that makes the connection string unreadable, or another one."""
    with World(servers, "conninfo", seed, partitions=1) as world:
        config = world.config("conninfo", kafka={"bootstrap.servers": "127.0.0.1:1"})
        with open(config) as text:
            good = text.read()
        with open(config, "w") as out:
            out.write(good.replace(f"postgres: {world.conninfo('chaos_writer')}", "postgres: os.environ/SEC_PG"))
        strings = [shape.format(between.join(PIECES)) for shape in SHAPES for between in BETWEEN]
        told = 0
        for number, conninfo in enumerate(strings):
            # Every string by a command of its own, every command some of the strings.
            words = COMMANDS[number % len(COMMANDS)]
            if words[0] == "check" and "--offline" not in words:
                words += ("--offline",)
            if words[0] == "run":  # which waits for a server when it can read the string
                words = ("report",)
            done = run_program(*words, "-c", config, environment={"SEC_PG": conninfo})
            for piece in PIECES:
                check(piece not in done.stdout + done.stderr,
                      f"{' '.join(words)} repeats {piece} of {conninfo!r}: {done.stdout}{done.stderr}")
            told += done.returncode != 0
        for words in COMMANDS:
            for conninfo in ("postgres://u:c4nary-One%zzc4nary-Two@127.0.0.1:1/db",
                             "host=127.0.0.1 port=1 user=u password=c4nary-One c4nary-Two"):
                done = run_program(*words, "-c", config, environment={"SEC_PG": conninfo})
                for piece in PIECES:
                    check(piece not in done.stdout + done.stderr,
                          f"{' '.join(words)} repeats {piece}: {done.stdout}{done.stderr}")
        check(told > len(strings) // 2, f"only {told} of {len(strings)} strings were refused")
        return f"{len(strings)} strings, {len(COMMANDS)} commands"


def dying(pieces, text):
    return [piece for piece in pieces if piece in text]


def inserted(line, at, character):
    """Nothing is taken away: what joins `u password=` to one value makes a user of it, which no reader can know."""
    return line[:at] + character + line[at:]


def configurations_are_not_repeated(servers, seed):
    """Whatever is wrong with a configuration, no message repeats the secrets that stand in it."""
    secrets = [f"c4nary-{number}-x" for number in range(4)]
    lines = ["kafka:", "  bootstrap.servers: 127.0.0.1:1", "  group.id: g", "  sasl.mechanism: PLAIN", "  sasl.username: me",
             f"  sasl.password: {secrets[0]}", f"  ssl.key.password: {secrets[1]}",
             f'  ssl.key.pem: "-----BEGIN PRIVATE KEY-----{secrets[2]}"', "topics:", "  - name: llm.usage",
             f"postgres: host=127.0.0.1 port=1 user=u password={secrets[3]} dbname=db", "lanes: 1",
             "batch: {rows: 10, wait_ms: 10}", 'metrics: {listen: ""}']
    dice = random.Random(seed)
    path = os.path.join(servers.folder, "canaries.yaml")
    tried = 0
    for number in range(400):
        broken = [line for line in lines]
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(broken))
            broken[at] = dice.choice((
                lambda line: inserted(line, dice.randrange(len(line) + 1), dice.choice("'\":{}[]&*!|>%@`,#\t-?")),
                lambda line: line.replace(": ", dice.choice((":", " : ", " ", ": [", ": {a: "))),
                lambda line: line.replace("password", dice.choice(("pasword", "password2", "passwd"))),
                lambda line: " " * dice.randint(0, 5) + line.lstrip(),
                lambda line: line + dice.choice((" x", "\n  y: 1", " # c", "\t", " '", ": z"))))(broken[at] or " ")
        with open(path, "w") as out:
            out.write("\n".join(broken) + "\n")
        for words in (("check", "--offline"), ("check", "--print")) if number % 8 else COMMANDS[5:8]:
            done = run_program(*words, "-c", path)
            found = dying(secrets, done.stdout + done.stderr)
            check(not found, f"{' '.join(words)} repeats {found} (number {number}): {done.stdout}{done.stderr}")
            tried += 1
    return f"{tried} tries"


HOSTILE = ("=HYPERLINK(\"http://x\";\"y\")", "+1+1", "-1+1", "@SUM(A1:A9)", "\tmodel", "\rmodel", "a\x1b[2Jb", "a\x1b]0;title\x07b",
           "a\u009b31mb", "a\u0085b", "a\x7fb", "a\nb,c", "<script>alert(1)</script>", "a\"b,c", "a\u202eb", "a\u2028b", "a\u2066b")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
ORDER = re.compile("[\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def names_steer_nothing(servers, seed):
    """Names of models, teams, tags and users reach terminals, spreadsheets and pages without steering or running anything."""
    with World(servers, "names", seed, partitions=1) as world:
        feed = world.feed()
        for number, name in enumerate(HOSTILE):
            event = payload_of(number, name, 10, 10, time.time() - 60, response_cost=0.5, request_tags=[name])
            event["id"] = event["litellm_call_id"] = name
            event["metadata"].update(user_api_key_user_id=name, user_api_key_team_id=name, user_api_key_team_alias=name)
            feed.put(0, json.dumps(event).encode())
            broken = {**event["metadata"], "usage_object": {"prompt_tokens": -1}}
            feed.put(0, json.dumps({**event, "litellm_call_id": name + "x", "metadata": broken}).encode())
        feed.finish()
        world.feeds.clear()
        member = world.start("--exit-eof", "-v")
        check_equal(member.wait(30), 0, f"exit code{member.tail()}")
        check_equal(world.sql("SELECT count(*) FROM spendlog.spend_logs"), [[str(len(HOSTILE))]], "rows")
        config = world.config("asking", user="spendlog")
        file = os.path.join(world.folder, "event.json")
        with open(file, "w") as out:
            out.write(json.dumps(payload_of(1, "a\x1b[2J\u009bb", 1, 1, 1)))
        seen = {"log": member.text()}
        asked = [("report", "--by", by, "--format", form) for by in ("model", "team", "tag", "user")
                 for form in ("table", "csv", "json", "html")]
        asked += [("reprice", "--dry-run", "-q"), ("reprice", "--dry-run", "-q", "--format", "csv"), ("reprice", "--dry-run", "-q", "--json"),
                  ("rejected", "list"), ("rejected", "list", "--json"), ("verify",), ("price", file), ("price", "--items", file),
                  ("map", "--explain", file), ("explain", "--event", file), ("report", "--by", "a\x1b[2J"), ("a\x1b[2J",),
                  ("explain", "a\x1b[2Jb"), ("explain", "a\u009b31mb"), ("explain", "no\x1b[2J"), ("prices", "show", "a\x1b[2J\u009bb")]
        for words in asked:
            done = run_program(*words, *(() if words[0].startswith("a") else ("-c", config)))
            seen[" ".join(words)] = done.stdout + done.stderr
        for place, text in seen.items():
            lines = text.replace("\r\n", "\n").split("\n")
            # JSON is for programs: it may hold marks of order, no control character.
            found = CONTROLS.search("\n".join(lines)) or ORDER.search("\n".join(l for l in lines if l[:1] != "{"))
            check(not found, f"{place!r} holds {found and found[0]!r}: {found and text[max(found.start() - 60, 0):found.end() + 30]!r}")
        for by in ("model", "team", "tag", "user"):
            for row in csv.reader(io.StringIO(seen[f"report --by {by} --format csv"])):
                check(row[0][:1] not in tuple("=+-@\t\r"), f"a cell is a formula: {row[0]!r}")
            page = seen[f"report --by {by} --format html"]  # which has a script of its own, and no other
            check(page.count("<script") == 1 and not any(name in page for name in HOSTILE if "<" in name), "a page runs a name")
        return f"{len(asked)} commands, {len(HOSTILE)} names"


def odd_files_are_told(servers, seed):
    """A pipe as configuration is given up after seconds; a secret in the clear is a warning of check."""
    pipe, clear = (os.path.join(servers.folder, name) for name in ("pipe.yaml", "clear.yaml"))
    if not os.path.exists(pipe):
        os.mkfifo(pipe)
    done = run_program("check", "--offline", "-c", pipe)
    check_equal(done.returncode, 78, f"a pipe: {done.stderr}; exit code")
    with open(clear, "w") as out:
        out.write("kafka: {bootstrap.servers: 127.0.0.1:1, group.id: g, sasl.password: plain, ssl.key.password: os.environ/HOME}\n"
                  "topics: [{name: t}]\npostgres: host=x password=plain\n")
    done = run_program("check", "--offline", "-c", clear)
    check_equal((done.returncode, done.stderr.count("in the clear")), (0, 2), f"warnings: {done.stderr}")


ALL = (odd_files_are_told, names_steer_nothing, connection_strings_are_not_repeated, configurations_are_not_repeated, secrets_stay_secret, labels_hold_no_key, raw_keys_are_hashed, prompts_are_never_stored)
