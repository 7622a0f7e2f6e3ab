# SPDX-License-Identifier: Apache-2.0
"""TLS and SASL to Kafka by librdkafka's properties, TLS to PostgreSQL by libpq's conninfo."""
import glob
import os
import random
import shutil
import socket
import subprocess

from harness.report import check, check_equal, wait_for
from harness.servers import KAFKA_TOOL, ROOT, SPENDLOG, run_checked
from harness.world import World
from security.certificates import Authority

PASSWORD = "planted-Tr4nsport-s3cret"
UNAVAILABLE, CONFIGURATION = 69, 78


def folder_of(servers, name):
    path = os.path.join(servers.folder, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def run_program(*words, environment=None):
    return subprocess.run([SPENDLOG, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(environment or {})}, timeout=60)


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


# --- PostgreSQL

def postgres_with_tls(servers, folder, seed):
    """Turns TLS on, at an address of its own, and asks for passwords there; (address, authority)."""
    dice = random.Random(seed)
    address = f"127.{dice.randint(16, 200)}.{dice.randint(1, 250)}.{dice.randint(1, 250)}"
    authority = Authority(folder, "authority")
    certificate, key = authority.issue("postgres", "db.test")
    data = os.path.join(servers.socket_folder, "data")
    owner = os.stat(data)
    for source, name in ((certificate, "server.crt"), (key, "server.key")):
        target = os.path.join(data, name)
        shutil.copyfile(source, target)
        os.chown(target, owner.st_uid, owner.st_gid)
        os.chmod(target, 0o600)
    with open(os.path.join(data, "postgresql.conf"), "a") as out:
        out.write(f"listen_addresses = '{address}'\nssl = on\n")
    with open(os.path.join(data, "pg_hba.conf"), "w") as out:
        out.write("local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n")
    servers.local("postgres-down")
    servers.local("postgres-up")
    return address, authority


def postgres_tls(servers, seed):
    """sslmode reaches PostgreSQL: the right authority and name are accepted, wrong ones and no TLS are refused."""
    folder = folder_of(servers, "tls-postgres")
    address, authority = postgres_with_tls(servers, folder, seed)
    stranger = Authority(folder, "stranger")
    with World(servers, "tls-postgres", seed, partitions=1) as world:
        servers.psql("postgres", "DROP ROLE IF EXISTS sec_tls")
        servers.psql("postgres", f"CREATE ROLE sec_tls LOGIN PASSWORD '{PASSWORD}' IN ROLE spendlog_writer")

        def status(mode, root, host="db.test", password=PASSWORD):
            conninfo = (f"host={host} hostaddr={address} port=5432 user=sec_tls dbname={world.database} "
                        f"sslmode={mode} sslrootcert={root} password={password}")
            config = world.config("tls")
            with open(config) as text:
                lines = ["postgres: os.environ/SEC_PG\n" if line.startswith("postgres:") else line
                         for line in text]
            with open(config, "w") as out:
                out.writelines(lines)
            return run_program("check", "-c", config, environment={"SEC_PG": conninfo})

        good = status("verify-full", authority.certificate)
        check_equal(good.returncode, 0, f"verify-full: {good.stderr}; exit code")
        check_equal(status("verify-ca", authority.certificate, host="other.test").returncode, 0,
                    "verify-ca with another name: exit code")
        for what, refused in (
                ("wrong authority", status("verify-full", stranger.certificate)),
                ("wrong authority, verify-ca", status("verify-ca", stranger.certificate)),
                ("wrong host name", status("verify-full", authority.certificate, host="other.test")),
                ("no TLS", status("disable", authority.certificate)),
                ("wrong password", status("verify-full", authority.certificate, password="not-" + PASSWORD))):
            check(refused.returncode in (UNAVAILABLE, CONFIGURATION),
                  f"{what}: exit code {refused.returncode}: {refused.stderr}")
            check("postgres" in (refused.stdout + refused.stderr).lower(), f"{what}: not told why")
            check(PASSWORD not in refused.stdout + refused.stderr, f"{what}: the password is in the message")


# --- Kafka

class TlsKafka:
    """A broker of its own that speaks SASL_SSL only, with one user."""

    def __init__(self, folder, authority):
        certificate, key = authority.issue("kafka", "localhost")
        self.folder = folder
        keystore = os.path.join(folder, "keystore.pem")
        with open(keystore, "w") as out:
            for path in (key, certificate):
                with open(path) as text:
                    out.write(text.read())
        self.port, controller = free_port(), free_port()
        jaas = ("org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'user_spendlog="{PASSWORD}";')
        self.properties = os.path.join(folder, "server.properties")
        with open(self.properties, "w") as out:
            out.write(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=SASL_SSL://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://localhost:{self.port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=SASL_SSL
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={jaas.replace('required', f'required username="spendlog" password="{PASSWORD}"')}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority.certificate}
ssl.endpoint.identification.algorithm=
log.dirs={folder}/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""")
        jars = os.environ.get("SPENDLOG_JARS") or os.path.join(
            os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "spendlog")
        found = sorted(glob.glob(os.path.join(jars, "kafka-*", "complete"))) or [os.path.join(jars, "complete")]
        self.java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", os.path.dirname(found[-1]) + "/*",
                     f"-Dlog4j2.configurationFile={ROOT}/scripts/kafka/log4j2.xml"]
        run_checked([*self.java, "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQACAAAAAAAAAAA",
                     "-c", self.properties])
        self.log = open(os.path.join(folder, "server.log"), "w")
        self.process = subprocess.Popen([*self.java, "kafka.Kafka", self.properties],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def tool(self, client, *words):
        argv = [KAFKA_TOOL]
        for name, value in client.items():
            argv += ["-X", f"{name}={value}"]
        return subprocess.run([*argv, f"localhost:{self.port}", *words], capture_output=True, text=True,
                              input="M 0 0 -1\nF\n", timeout=90)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def kafka_tls_and_sasl(servers, seed):
    """SASL over TLS to Kafka works by librdkafka's properties; wrong authority, name and password are refused."""
    folder = folder_of(servers, "tls-kafka")
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    broker = TlsKafka(folder, authority)
    client = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "spendlog",
              "ssl.ca.location": authority.certificate}
    trusted = {**client, "sasl.password": PASSWORD}
    try:
        wait_for("the broker", lambda: broker.tool({**trusted, "message.timeout.ms": 4000}, "create",
                                                   "tls-kafka.usage", "1").returncode == 0, 60, 1)
        with World(servers, "tls-kafka", seed, partitions=1) as world:
            def attempt(host="localhost", password=PASSWORD, **changed):
                kafka = {**client, **{k.replace("_", "."): v for k, v in changed.items()},
                         "bootstrap.servers": f"{host}:{broker.port}",
                         "sasl.password": "os.environ/SEC_SASL"}
                config = world.config("sasl", kafka=kafka)
                return run_program("check", "-c", config, environment={"SEC_SASL": password})

            good = attempt()
            check_equal(good.returncode, 0, f"right in all: {good.stderr}; exit code")
            for what, refused in (("wrong authority", attempt(ssl_ca_location=stranger.certificate)),
                                  ("wrong host name", attempt(host="127.0.0.1")),
                                  ("wrong password", attempt(password="not-" + PASSWORD)),
                                  ("no TLS", attempt(security_protocol="SASL_PLAINTEXT"))):
                check_equal(refused.returncode, UNAVAILABLE, f"{what}: {refused.stderr}; exit code")
                check(PASSWORD not in refused.stdout + refused.stderr,
                      f"{what}: the password is in the message")
    finally:
        broker.stop()


ALL = (postgres_tls, kafka_tls_and_sasl)
