# SPDX-License-Identifier: Apache-2.0
"""What a newcomer meets first: the demo, the development servers, the containers, the callback, the installation."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import yaml

from harness.report import check, check_equal, wait_for
from harness.servers import ROOT, Servers
from integration.stage import Stage, demo_event, demo_lines, message_of


def read_yaml(*path):
    with open(os.path.join(ROOT, *path)) as text:
        return yaml.safe_load(text)


def readme_blocks():
    """The fenced blocks of README.md, each a list of lines."""
    with open(os.path.join(ROOT, "README.md")) as text:
        return [block.splitlines()[1:] for block in text.read().split("```")[1::2]]


def running_in(folder):
    """Command lines of processes that mention a folder, or the one its link `run` points to."""
    words = {os.path.abspath(folder), os.path.realpath(os.path.join(folder, "run"))}
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as text:
                line = text.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(word in line for word in words) and "local.sh" not in line and int(pid) != os.getpid():
            found.append(line)
    return found


def make(*words, folder, code=0):
    done = subprocess.run(["make", "-s", *words], cwd=ROOT, env={**os.environ, "LOCAL": folder},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    check_equal(done.returncode, code, f"exit code of make {' '.join(words)}: {done.stderr[-800:]}")
    return done.stdout


# When Ctrl-C is pressed.
DEMO_MOMENTS = {
    "it looks at packages": lambda folder: os.path.getsize(folder + ".log") > 0,
    "initdb runs": lambda folder: any("initdb" in line for line in running_in(folder)),
    "a server runs": lambda folder: running_in(folder),
    "events are read": lambda folder: any("--exit-eof" in line for line in running_in(folder)),
    "it cleans up by itself": lambda folder: demo_killed_child(folder),
}


def demo_killed_child(folder):
    """A child of the demo fails by itself; Ctrl-C then falls into the clean-up."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as text:
                words = text.read().split(b"\0")
        except OSError:
            continue
        if b"--exit-eof" in words and os.path.abspath(folder).encode() + b"/spendlog.yaml" in words:
            os.kill(int(pid), signal.SIGKILL)
            return True
    return False


def demo_interrupted(folder, moment):
    with open(folder + ".log", "w") as log:
        demo = subprocess.Popen(["scripts/demo.sh"], cwd=ROOT, env={**os.environ, "LOCAL": folder},
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    wait_for(f"{moment}", lambda: DEMO_MOMENTS[moment](folder) or demo.poll() is not None, 120, 0.01)
    check_equal(demo.poll(), None, f"exit code of the demo before Ctrl-C, when {moment}")
    os.killpg(demo.pid, signal.SIGINT)
    check_equal(demo.wait(90), 130, f"exit code of the demo after Ctrl-C when {moment}")
    check_equal(running_in(folder), [], f"processes left after Ctrl-C when {moment}")


SUITES = {"integration": signal.SIGINT, "security": signal.SIGTERM, "chaos": signal.SIGTERM}


def suites_end_by_signals_and_leave_nothing(servers):
    """Ctrl-C ends a suite with 130, SIGTERM with 143; neither leaves a process."""
    for suite, number in SUITES.items():
        folder = os.path.join(servers.folder, f"signalled-{suite}")
        run = subprocess.Popen([f"tests/{suite}/run.py", "--folder", folder], cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for("a server", lambda: any("run.py" not in line for line in running_in(folder)), 60, 0.02)
        run.send_signal(number)
        check_equal(run.wait(120), 128 + number, f"exit code of {suite} after {number.name}")
        check_equal(running_in(folder), [], f"processes left by {suite} after {number.name}")
        make("clean-local", folder=folder)


def demo_shows_spend_and_leaves_nothing(servers):
    """`make demo` can be interrupted and repeated, shows spend and a charge explained, leaves nothing running."""
    folder = os.path.join(servers.folder, "demo")
    for moment in DEMO_MOMENTS:
        demo_interrupted(folder, moment)
    start = time.monotonic()
    out = make("demo", folder=folder)
    took_s = time.monotonic() - start
    for part in ("spend by model", "gpt-5.4-pro", "spend by team", "Search", "0 differences", "psql"):
        check(part in out, f"no \"{part}\" in what the demo prints")
    shown = [line for block in readme_blocks()[1:3] for line in block if not line.startswith("start_time")]
    check(len(shown) > 20 and all(line in out.splitlines() for line in shown),
          "README's row and explanation are not those of the demo")
    check_equal(running_in(folder), [], "processes left")
    make("clean-local", folder=folder)
    return f"{took_s:.0f} s"


def up_and_down(servers):
    """`make up` leaves an env for kcat and psql and a configuration that runs; `down` stops, `clean-local` removes."""
    folder = os.path.join(servers.folder, "up")
    make("up", folder=folder)
    make("up", folder=folder)
    ask = f". {folder}/env && psql -XAtqc 'SELECT count(*) FROM spendlog.spend_logs' && " \
          "kcat -b $KAFKA_BROKERS -L -t llm.usage | grep -c 'partition [0-9]*, leader'"
    out = subprocess.run(["sh", "-c", ask], capture_output=True, text=True, check=True).stdout
    check_equal(out.split(), ["0", "12"], "rows of the empty table, partitions of the topic")
    done = subprocess.run([os.path.join(ROOT, "spendlog"), "run", "-c", f"{folder}/spendlog.yaml", "--exit-eof"],
                          capture_output=True, text=True, timeout=60)
    check_equal(done.returncode, 0, f"exit code of run: {done.stderr[-500:]}")
    make("down", folder=folder)
    check_equal(running_in(folder), [], "processes left by down")
    place = os.path.realpath(os.path.join(folder, "run"))
    make("clean-local", folder=folder)
    check(not os.path.exists(folder) and not os.path.exists(place), "folders left by clean-local")


def two_checkouts_at_once(servers):
    """Another checkout's servers run beside these, and their end leaves these alone."""
    other = Servers(os.path.join(servers.folder, "other"))
    try:
        other.up()
        check(other.brokers != servers.brokers and other.socket_folder != servers.socket_folder, "the same addresses")
        check_equal(other.psql("spend", "SELECT 1"), [["1"]], "answer of the other")
    finally:
        other.clean()
    check_equal(servers.psql("spend", "SELECT 1"), [["1"]], "answer")
    check_equal(running_in(other.folder), [], "processes left of the other")


def containers_are_the_demo(servers):
    """docker-compose.yml runs the demo's configuration, with pinned images, health checks, ports above 1024."""
    compose = read_yaml("docker-compose.yml")["services"]
    check_equal(sorted(compose), ["grafana", "kafka", "migrate", "postgres", "producer", "prometheus", "spendlog", "topic"],
                "services")
    once = {"topic", "migrate", "producer"}
    for name, service in compose.items():
        if "image" in service and service["image"] != "spendlog:local":
            check(re.fullmatch(r"[a-z/]+:v?\d+\.\d+[\w.-]*", service["image"]), f"{name}: {service['image']} is not pinned")
        check("healthcheck" in service or name in once, f"{name} without a health check")
        for port in service.get("ports", ()):
            host, outside, inside = port.split(":")
            check(host == "127.0.0.1" and int(outside) >= 1024 and int(inside) >= 1024, f"{name}: port {port}")
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            check(not source.startswith(".") or os.path.exists(os.path.join(ROOT, source)), f"{name}: no {source}")
        for other, condition in service.get("depends_on", {}).items():
            want = "service_completed_successfully" if other in once else "service_healthy"
            check_equal(condition["condition"], want, f"{name} waits for {other}")
    if shutil.which("docker-compose"):  # reads it without an engine
        clean = {name: value for name, value in os.environ.items() if name != "POSTGRES_PASSWORD"}
        empty = os.path.join(servers.folder, "empty.env")
        with open(empty, "w", encoding="ascii"):
            pass
        for password, code in (({"POSTGRES_PASSWORD": "x"}, 0), ({}, 1)):
            done = subprocess.run(["docker-compose", "--env-file", empty, "config", "-q"], cwd=ROOT, env={**clean, **password},
                                  capture_output=True, text=True)
            check_equal(done.returncode, code, f"docker-compose config: {done.stderr}")
    check("/state" in str(compose["producer"]["volumes"]), "the producer forgets when its events were made")
    for name in (".gitignore", ".dockerignore"):
        with open(os.path.join(ROOT, name)) as text:
            check(".env" in text.read().split(), f"{name} lets the password in .env through")
    same = [subprocess.run([sys.executable, "scripts/demo_events.py", "--now", "1795000000", "tests/cases/demo/litellm-events.jsonl"],
                           cwd=ROOT, capture_output=True, check=True).stdout for _ in range(2)]
    check(same[0] and same[0] == same[1], "events of the same moment differ")
    prometheus, example = read_yaml("examples/docker/prometheus.yaml"), read_yaml("examples/prometheus/prometheus.yaml")
    for one in (prometheus, example):
        one["scrape_configs"][0].pop("static_configs")
    check_equal(prometheus, example, "configuration of Prometheus, addresses aside")
    servers.local("configuration")
    demo, container = read_yaml(servers.folder, "spendlog.yaml"), read_yaml("examples/docker/spendlog.yaml")
    for configuration in (demo, container):
        configuration["kafka"].pop("bootstrap.servers")
        configuration["postgres"] = re.sub(r"host=\S+ ", "", configuration["postgres"])
        configuration.pop("metrics")
    check_equal(container, demo, "configuration in the containers, addresses aside")


# Pages whose statements are run, and those of them whose tables may be empty when all is well.
ASKING = ("README.md", "docs/cookbook.md", "docs/troubleshooting.md", "docs/storage.md", "docs/asking.md", "docs/citus.md")
QUIET = re.compile(r"suspense|unpriced_models|doubtful_rows|price_drift|kafka_gaps|kafka_setbacks|rejected_events|group_books|"
                   r"'a session of yours'|spend_of_run|team-a|budget|2026-11-2[45]|abs\(spend")


def statements(page):
    """The statements of a page's SQL, each with its comments."""
    with open(os.path.join(ROOT, page)) as text:
        blocks = re.findall(r"^```sql\n(.*?)^```$", text.read(), re.M | re.S)
    return [one.strip() for block in blocks for one in re.split(r"(?<=;)(?:[ ]*--[^\n]*)?\n", block) if one.strip()]


def pages_ask_what_exists(servers):
    """Every statement of the documents runs as the reader, at the time of the newest call, and has an answer where there are rows."""
    with Stage(servers, "pages", partitions=1) as stage:
        if not servers.psql("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'pages_reader'"):
            servers.psql("postgres", "CREATE ROLE pages_reader LOGIN IN ROLE spendlog_reader")
        stage.produce(demo_lines())
        stage.consume()
        newest = stage.value("SELECT max(start_time) FROM spendlog.spend_logs")
        call = stage.value("SELECT max(request_id) FROM spendlog.spend_logs")
        asked = {page: statements(page) for page in ASKING}
        for page, texts in asked.items():
            for text in texts:
                then = text.replace("now()", f"timestamptz '{newest}'").replace("current_date", f"date '{newest[:10]}'")
                then = then.replace("'a call of yours'", f"'{call}'")
                rows = servers.psql(stage.database, f"SET timezone = 'UTC';\n{then}", user="pages_reader")
                check(rows or QUIET.search(text), f"{page}: no answer to {text}")
    return ", ".join(f"{len(texts)} of {page}" for page, texts in asked.items())


def examples_are_valid(servers):
    """The example configuration passes `spendlog check`."""
    done = subprocess.run([os.path.join(ROOT, "spendlog"), "check", "--strict", "--offline", "-c",
                           os.path.join(ROOT, "examples/spendlog.yaml")], capture_output=True, text=True,
                          env={**os.environ, "SPENDLOG_POSTGRES": "host=localhost dbname=spend"})
    check_equal(done.returncode, 0, f"exit code: {done.stderr[-500:]}")


def init_in(folder, *words, stdin="", code=0):
    done = subprocess.run([os.path.join(ROOT, "spendlog"), "init", *words], cwd=folder, input=stdin,
                          capture_output=True, text=True)
    check_equal(done.returncode, code, f"exit code of init {' '.join(words)}: {done.stderr[-500:]}")
    return done.stdout + done.stderr


def files_of_a_configuration_are_placed(servers):
    """A file, folder or socket that a setting names and that is not there: the error names the configuration, the line and the setting."""
    folder = os.path.join(servers.folder, "placed")
    os.makedirs(folder)
    with open(os.path.join(folder, "including.yaml"), "w", encoding="ascii") as out:
        out.write("model_list: []\ninclude:\n- gone.yaml\n")
    kafka = "kafka: {bootstrap.servers: 'localhost:1', group.id: g, security.protocol: ssl,\n  ssl.ca.location: gone.pem}\n"
    for text, where, words in (
            ("pricing:\n  cost_map: gone.json\n", "2: pricing.cost_map: ", ("check", "--offline")),
            ("pricing:\n  cost_map:\n  - {file: builtin}\n  - file: gone.json\n    effective_from: 2026-01-01T00:00:00Z\n",
             "4: pricing.cost_map: ", ("price", "event.json")),
            ("pricing:\n  litellm_config: gone.yaml\n", "2: pricing.litellm_config: ", ("check", "--offline")),
            ("pricing:\n  litellm_config: including.yaml\n", "2: pricing.litellm_config: ", ("check", "--offline")),
            ("pricing:\n  imported: spendlog.yaml\n", "2: pricing.imported: ", ("check", "--offline")),
            ("schema_registry:\n  url: http://localhost\n  ca: gone.pem\n", "3: schema_registry.ca: ", ("check", "--offline")),
            ("control:\n  socket: gone/socket\n", "2: control.socket: ", ("status",)),
            ("postgres: file:gone\n", "1:11: ", ("report",)),
            ("storage:\n  payload_key: file:gone\n", "2:16: ", ("report",)),
            ("kafka:\n  group.id: g\n  bootstrap.servers: 'localhost:99999'\ntopics: [{name: t}]\npostgres: host=/gone\n",
             "3: bootstrap.servers: port 99999 is not", ("check", "--offline")),
            (kafka + "topics: [{name: t}]\npostgres: host=/gone\n", "2: kafka: ssl.ca.location", ("check",))):
        with open(os.path.join(folder, "spendlog.yaml"), "w", encoding="ascii") as out:
            out.write(text)
        done = subprocess.run([os.path.join(ROOT, "spendlog"), *words], cwd=folder, capture_output=True, text=True)
        check(done.returncode in (69, 78) and f"spendlog.yaml:{where}" in done.stderr,
              f"{' '.join(words)} with {text!r}: {done.returncode} {done.stderr}")


def options_of_a_book_count_wherever_one_is_loaded(servers):
    """--overrides is heard by every command that loads prices, and nothing takes an option of prices or mappings that it would not use."""
    folder = os.path.join(servers.folder, "booked")
    os.makedirs(folder)
    for name, price in (("litellm", "0.5"), ("other", "0.6")):
        with open(os.path.join(folder, f"{name}.yaml"), "w", encoding="ascii") as out:
            out.write(f"model_list:\n- model_name: own\n  litellm_params: {{model: openai/gpt-4o, input_cost_per_token: {price}}}\n")
    with open(os.path.join(folder, "spendlog.yaml"), "w", encoding="ascii") as out:
        out.write("pricing: {litellm_config: litellm.yaml}\n")

    def told(*words):
        done = subprocess.run([os.path.join(ROOT, "spendlog"), *words], cwd=folder, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    check("lost" not in told("prices", "show", "own", "--overrides", "merge")[1], "lost of a merge")
    check("lost" in told("prices", "show", "own", "--overrides", "litellm")[1], "nothing is lost of litellm's own way")
    for words in (("show", "own"), ("diff", "litellm.yaml", "other.yaml")):
        code, said = told("prices", *words, "--overrides", "merg")
        check(code == 64 and "neither merge nor litellm" in said, f"{words} with a mode that is none: {code} {said}")
    for words in (("check", "--offline", "--mapping", "litellm"), ("prices", "show", "own", "--mapping", "litellm"),
                  ("map", "--cost-map", "builtin", os.devnull)):
        code, said = told(*words)
        check(code == 64 and "unknown option" in said, f"{words}: {code} {said}")


def what_would_be_passed_over_is_refused(servers):
    """An option that a command has no use for beside the words given is a usage error that names both; so is a letter nobody knows, by name."""
    folder = os.path.join(servers.folder, "refused")
    os.makedirs(folder)
    with open(os.path.join(folder, "spendlog.yaml"), "w", encoding="ascii") as out:
        out.write("postgres: host=/gone\n")
    for words, told in (("budget set team t -5", '"-5": a negative number'), ("budget set team t -50.5", '"-50.5": a negative'),
                        ("report --by team -vz", 'unknown option "-z"'), ("prices show x --json=3", "--json takes no value"),
                        ("report --lmit 3", "did you mean --limit"), ("report --since", '"--since" needs a value'),
                        ("budget list --period day", "--period goes with set or remove"), ("budget set team t 5 --json", "--json goes with list or status"),
                        ("periods close 2020-01 --json", "--json goes with list"), ("retention show --at-most 3", "--at-most goes with set"),
                        ("rejected retry --json", "--json goes with list or show"), ("rejected list --payload", "--payload goes with show"),
                        ("rejected show a/0/1 --topic b", "--topic goes with list or retry"), ("rejected retry --all", "--all goes with list"),
                        ("prices show x --effective-from 2026-01-01", "--effective-from goes with import"),
                        ("explain x --mapping litellm", "--mapping goes with --event"), ("map --list --explain", "--explain and --list exclude"),
                        ("map --list file", "unexpected argument"), ("init -c here.yaml", "init writes to -o FILE"), ("price --flags --items", "--items and --flags exclude"),
                        ("exclude --list --why x", "--why and --list exclude"), ("migrate --status --carry", "--carry and --status exclude"),
                        ("verify --counts-only --since 2026-10", "--since and --counts-only exclude"),
                        ("check --print --json", "--json and --print exclude"), ("report --top 3 --limit 4", "--top and --limit exclude"),
                        ("report --top x", "--top: "), ("report --focus-version 1.5", "--focus-version goes with --format focus"),
                        ("report --json --format csv", "--json and --format csv exclude"),
                        ("reprice --dry-run --json --format csv", "--json and --format csv exclude")):
        done = subprocess.run([os.path.join(ROOT, "spendlog"), *words.split()], cwd=folder, capture_output=True, text=True)
        check(done.returncode == 64 and told in done.stderr, f"{words}: {done.returncode} {done.stderr}")


def output_that_cannot_be_written_is_no_success(_servers):
    """A full disk, a closed standard output: exit 70 and a line; a closed descriptor does not become a connection's."""
    spendlog = os.path.join(ROOT, "spendlog")
    for words in (("prices", "show", "gpt-4o"), ("--version",), ("price", "--help")):
        with open("/dev/full", "w") as full:
            done = subprocess.run([spendlog, *words], stdout=full, stderr=subprocess.PIPE, text=True)
        check(done.returncode == 70 and "standard output: No space left" in done.stderr, f"{words}: {done.returncode} {done.stderr}")
        done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', spendlog, *words], stderr=subprocess.PIPE, text=True)
        check(done.returncode == 70 and "standard output: " in done.stderr, f"{words}, closed: {done.returncode} {done.stderr}")
    done = subprocess.run([spendlog, "price", "-c", "", os.devnull], capture_output=True, text=True)
    check(done.returncode == 64 and "-c names no file" in done.stderr, f"-c '': {done.returncode} {done.stderr}")


def init_writes_what_check_walks(servers):
    """`init` writes the example with the answers in it, by asking or from options, and keeps secrets off the command line."""
    for name in ("asked", "told", "refused"):
        os.makedirs(os.path.join(servers.folder, "init", name))
    asked, told, refusing = (os.path.join(servers.folder, "init", name) for name in ("asked", "told", "refused"))
    answers = ("broker:9093", "^usage\\..*", "it's a group", "host=db dbname=money password='two words'", "")
    said = init_in(asked, stdin="\n".join(answers) + "\n")
    check("Kafka brokers [localhost:9092]" in said and "two words" not in said, f"init says {said}")
    configuration, example = read_yaml(asked, "spendlog.yaml"), read_yaml("examples/spendlog.yaml")
    check_equal((configuration["kafka"]["bootstrap.servers"], configuration["topics"][0]["name"],
                 configuration["kafka"]["group.id"], configuration["postgres"]),
                (*answers[:3], "file:postgres.conninfo"), "what was answered")
    check_equal({key: configuration[key] for key in configuration if key not in ("kafka", "topics", "postgres")},
                {key: example[key] for key in example if key not in ("kafka", "topics", "postgres")}, "the rest of the example")
    secret = os.path.join(asked, "postgres.conninfo")
    with open(secret) as text:
        check_equal(text.read(), answers[3] + "\n", "connection string")
    check_equal(os.stat(secret).st_mode & 0o777, 0o600, "mode of the connection string's file")
    check("--force" in init_in(asked, stdin="\n" * 5, code=78), "it replaces what is there")
    named = ("--brokers", "b:1", "--topic", "t", "--postgres")
    init_in(told, *named, "-", stdin="host=x user=y password=z\n")
    check_equal(read_yaml(told, "spendlog.yaml")["topics"], [{"name": "t"}], "topics")
    for conninfo in ("host=x password=y", "postgresql://u:secret@h/d"):
        said = init_in(refusing, *named, conninfo, code=64)
        check("standard input" in said and "secret" not in said, f"init says {said}")
    for odd, word in (("a:99999\nt\ng\nhost=x\n\n", "port 99999"), ("a\n^([\ng\nhost=x\n\n", "regular expression"),
                      ("a\nt\ng\nhost=x port=0\n\n", "port of the connection string"), ("a\nt\ng\nhost=x dbnam=y\n\n", "cannot be read"),
                      ("a\nt\ng\nhost=x\n/nonexistent.yaml\n", "/nonexistent.yaml: No such file")):
        said = init_in(refusing, stdin=odd, code=78)
        check(word in said and "nothing is written" in said and "next:" not in said, f"init of {odd!r} says {said}")
    check_equal(os.listdir(refusing), [], "what is left of what was refused")
    with open(secret) as text, open(os.path.join(asked, "spendlog.yaml")) as configuration:
        before = text.read(), configuration.read()
    init_in(asked, "--force", stdin="a\n^([\ng\nhost=x\n\n", code=78)
    with open(secret) as text, open(os.path.join(asked, "spendlog.yaml")) as configuration:
        check_equal((text.read(), configuration.read()), before, "what stands there when --force is refused")
    check_equal(sorted(os.listdir(asked)), ["postgres.conninfo", "spendlog.yaml"], "files after a refusal")
    said = init_in(refusing, *named, "-", stdin="", code=64)
    check("standard input ended" in said, f"init without an answer says {said}")
    check_equal(os.listdir(refusing), [], "what is left without an answer")
    check_equal(os.listdir(refusing), [], "files beside answers that were refused")
    for text, word in ((None, "spendlog init"), ("", "is empty"), ("# nothing\n", "is empty")):
        if text is not None:
            with open(os.path.join(refusing, "spendlog.yaml"), "w") as out:
                out.write(text)
        done = subprocess.run([os.path.join(ROOT, "spendlog"), "check"], cwd=refusing, capture_output=True, text=True,
                              env={**os.environ, "SPENDLOG_CONFIG": ""})
        check(done.returncode == 78 and word in done.stderr, f"check of {text!r}: {done.returncode} {done.stderr}")


def check_walks_the_whole_way(servers):
    """`check` tells broker, topic, a message priced, schema and rights; what fails is told beside what follows."""
    with Stage(servers, "walk", partitions=2) as stage:
        def walk(code, **options):
            done = subprocess.run([os.path.join(ROOT, "spendlog"), "check", "-c", stage.config("walk", **options)],
                                  capture_output=True, text=True, timeout=60)
            check_equal(done.returncode, code, f"exit code: {done.stderr}")
            return done.stdout, done.stderr
        out, _ = walk(0)
        check("topic walk.usage: 2 partitions" in out and "holds no message yet" in out, f"without messages: {out}")
        stage.produce([message_of(demo_event())], partition=1)
        out, _ = walk(0)
        for words in (r"^configuration .*walk.yaml$", r"^kafka: cluster \S+ answers$", r"^postgres: .* the schema is up to date$",
                      r"^sample walk.usage/1/0: read by litellm\S*, openai \S+, priced, spend 0\.\d+$",
                      r"^rights: integration_writer may do what a writer does$", r"^configuration OK"):
            check(re.search(words, out, re.M), f"no {words} in {out}")
        stage.produce([b"{not json"], partition=0)
        out, errors = walk(0)
        check("warning: sample walk.usage/0/0: rejected: " in errors and "{not" not in out + errors, f"what is not a message: {errors}")
        stage.produce([json.dumps([demo_event(id="w1", litellm_call_id="w1"), {"of": "nobody"}]).encode()], partition=0)
        out, errors = walk(0, extra="limits: {tokens: 1}\n")
        check(re.search(r"warning: sample walk.usage/0/1: rejected: implausible: \S+: ", errors), f"beyond limits.tokens: {errors}")
        check("walk.usage/0/1: 1 more records in it" in out + errors, f"the other record: {out} {errors}")
        stage.produce([message_of(demo_event(id="w2", litellm_call_id="w2", startTime=4102444800.0, endTime=4102444801.0))], partition=0)
        out, errors = walk(0)
        check("warning: sample walk.usage/0/2: rejected: time_out_of_range: " in errors, f"of 2100: {errors}")
        servers.psql("postgres", "DROP ROLE IF EXISTS walk_reader")
        servers.psql("postgres", "CREATE ROLE walk_reader LOGIN IN ROLE spendlog_reader")
        out, errors = walk(78, user="walk_reader")
        check(re.search(r"walk_reader lacks \d+ of the \d+ rights of a writer.*GRANT spendlog_writer TO \"walk_reader\"", errors),
              f"as a reader: {errors}")
        topic, stage.topic = stage.topic, "walk.absent"
        out, errors = walk(78, user="walk_reader")
        stage.topic = topic
        check("topic walk.absent does not exist" in errors and "lacks" in errors and "OK" not in out, f"two failures: {errors}")
        servers.psql("postgres", "DROP ROLE walk_reader")


def make_names_what_is_not_installed(servers):
    """`make` without a library says so and names scripts/deps.sh, before the compiler says anything."""
    done = subprocess.run(["make", "spendlog"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "PKG_CONFIG_LIBDIR": "/nonexistent", "PKG_CONFIG_PATH": ""})
    check(done.returncode == 2 and re.search(r"not installed: rdkafka .*scripts/deps.sh", done.stderr), f"make says {done.stderr}")
    check_equal(done.stdout, "", "what make began with")


def installs_into_a_folder(servers):
    """`make install` puts program, manuals and unit under DESTDIR."""
    target = os.path.join(servers.folder, "destdir")
    make("install", f"DESTDIR={target}", "PREFIX=/usr", folder=servers.folder)
    out = subprocess.run([f"{target}/usr/bin/spendlog", "--version"], capture_output=True, text=True)
    check(out.returncode == 0 and "librdkafka" in out.stdout, f"--version: {out.stdout}{out.stderr}")
    for path in ("share/man/man1/spendlog.1", "share/man/man5/spendlog.conf.5", "share/doc/spendlog/spendlog.yaml",
                 "lib/systemd/system/spendlog.service", "lib/systemd/system/spendlog@.service"):
        check(os.path.isfile(f"{target}/usr/{path}"), f"no {path}")
    check(os.path.isdir(f"{target}/etc/spendlog"), "no /etc/spendlog")
    with open(f"{target}/usr/lib/systemd/system/spendlog.service") as unit:
        check("ExecStart=/usr/bin/spendlog " in unit.read(), "the unit starts another program")


ALL = (up_and_down, two_checkouts_at_once, demo_shows_spend_and_leaves_nothing, suites_end_by_signals_and_leave_nothing,
       containers_are_the_demo, pages_ask_what_exists, examples_are_valid, installs_into_a_folder,
       files_of_a_configuration_are_placed, init_writes_what_check_walks, options_of_a_book_count_wherever_one_is_loaded, what_would_be_passed_over_is_refused, output_that_cannot_be_written_is_no_success, check_walks_the_whole_way, make_names_what_is_not_installed)
