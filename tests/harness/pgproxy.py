# SPDX-License-Identifier: Apache-2.0
"""
A proxy between the service (TCP) and PostgreSQL (its Unix socket) that misbehaves on demand.

It reads enough of the frontend protocol (PostgreSQL manual, "Message Formats") to see a COMMIT go by,
so that a connection can be cut exactly before it reaches the server, or between it and its answer.
"""
import random
import re
import socket
import struct
import threading
import time

COMMIT = re.compile(rb"(^|;)\s*(commit|end)\b", re.IGNORECASE)

PASS = "pass"
CUT_BEFORE = "cut before"    # the server never sees it
CUT_AFTER = "cut after"      # the server has done it, the client never hears of it
FREEZE = "freeze"            # the server never sees it, both sides stay connected


class Connection:
    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(proxy.upstream)
        self.mute = False
        self.bytes_left = proxy.next_budget()
        self.closed = False
        for target in (self.to_server, self.to_client):
            threading.Thread(target=self.guard, args=(target,), daemon=True).start()

    def guard(self, target):
        try:
            target()
        except OSError:
            pass
        finally:
            self.close()

    def close(self):
        self.closed = True
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.proxy.forget(self)

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.client.recv(min(count - len(data), 1 << 20))
            if not piece:
                raise OSError("client closed")
            data += piece
        return data

    def spend(self, count):
        """False when the connection has carried what it was given to carry."""
        if self.bytes_left is None:
            return True
        self.bytes_left -= count
        return self.bytes_left > 0

    def message(self):
        """(bytes of one frontend message, the statement in it or None)."""
        kind = self.read(1)
        head = self.read(4)
        body = self.read(struct.unpack("!I", head)[0] - 4)
        texts = body.split(b"\0", 2) if kind in b"QP" else ()
        statement = texts[0] if kind == b"Q" else texts[1] if kind == b"P" else None
        return kind, kind + head + body, statement

    def to_server(self):
        head = self.read(4)  # the startup message has no type byte
        self.server.sendall(head + self.read(struct.unpack("!I", head)[0] - 4))
        while True:
            kind, data, statement = self.message()
            if statement is not None and COMMIT.search(statement):
                # Parse is followed by Bind, Describe, Execute: only Sync makes the server answer.
                while kind not in b"QS":
                    kind, more, _ = self.message()
                    data += more
                action = self.proxy.on_commit(self)
            else:
                action = PASS
            self.proxy.delay()
            if action == FREEZE:
                self.proxy.thaw.wait()
                return
            if action == CUT_BEFORE or not self.spend(len(data)):
                return
            self.mute = action == CUT_AFTER
            self.server.sendall(data)
            if self.mute:
                time.sleep(2)  # to_client ends it as soon as the server answers
                return

    def to_client(self):
        while True:
            data = self.server.recv(1 << 16)
            if not data or self.mute:
                return
            self.proxy.delay()
            if self.proxy.frozen(self):
                self.proxy.thaw.wait()
                return
            if not self.spend(len(data)):
                return
            self.client.sendall(data)


class Proxy:
    def __init__(self, upstream, seed=0):
        self.upstream = upstream
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.connections = set()
        self.commit_rule = None     # (Connection) -> PASS, CUT_BEFORE, CUT_AFTER, FREEZE
        self.delay_max_s = 0
        self.budget_max_bytes = 0   # each connection is cut after at most so many bytes
        self.commits = 0
        self.cuts = {CUT_BEFORE: 0, CUT_AFTER: 0, FREEZE: 0}
        self.thaw = threading.Event()
        self.held = set()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                connection = Connection(self, client)
            except OSError:  # the server is down: so is the proxy, for its client
                client.close()
                continue
            with self.lock:
                self.connections.add(connection)

    def next_budget(self):
        return self.random.randint(200, self.budget_max_bytes) if self.budget_max_bytes else None

    def on_commit(self, connection):
        with self.lock:
            self.commits += 1
            action = self.commit_rule(connection) if self.commit_rule else PASS
            if action != PASS:
                self.cuts[action] += 1
            if action == FREEZE:
                self.held.add(connection)
            return action

    def frozen(self, connection):
        with self.lock:
            return connection in self.held

    def delay(self):
        if self.delay_max_s:
            time.sleep(self.random.uniform(0, self.delay_max_s))

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)
            self.held.discard(connection)

    def cut_all(self):
        with self.lock:
            victims = list(self.connections)
        for victim in victims:
            victim.close()
        return len(victims)

    def close(self):
        self.listener.close()
        self.thaw.set()
        self.cut_all()
