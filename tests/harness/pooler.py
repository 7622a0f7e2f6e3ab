# SPDX-License-Identifier: Apache-2.0
"""
A pooler between the service (TCP) and PostgreSQL: it can put another server behind a session, between two
transactions, and the client does not notice. As poolers do that know prepared statements, it gives the new
server what the session was made of: its start, its SETs, and what it prepared.
"""
import os
import select
import socket
import struct
import threading

IDLE = b"I"


class Session(threading.Thread):
    def __init__(self, pooler, client):
        super().__init__(daemon=True)
        self.pooler = pooler
        self.client = client
        self.server = None
        self.generation = -1
        self.startup = b""
        self.made_of = []   # messages that the server's side of the session consists of
        self.pending = 0    # answers that end with ReadyForQuery and have not come
        self.status = IDLE
        self.from_client = self.from_server = b""

    def run(self):
        try:
            self.startup = self.read_startup()
            self.connect(first=True)
            while True:
                self.turn()
        except OSError:
            pass
        finally:
            for end in (self.client, self.server):
                if end:
                    end.close()

    def read_startup(self):
        data = b""
        while len(data) < 4 or len(data) < struct.unpack("!I", data[:4])[0]:
            piece = self.client.recv(1 << 16)
            if not piece:
                raise OSError("client closed")
            data += piece
        return data

    def connect(self, first):
        """To the pooler's server of now; what it says on the way is for the client the first time only."""
        self.generation = self.pooler.generation
        if self.server:
            self.server.close()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(self.pooler.upstream)
        self.server.sendall(self.startup)
        self.pending = 1
        if first:
            return
        self.wait_ready()
        for message in self.made_of:
            self.server.sendall(message if message[:1] == b"Q" else message + b"S\0\0\0\4")
            self.pending = 1
            self.wait_ready()
        self.pooler.swaps += 1

    def wait_ready(self):
        while self.pending:
            self.read_server()

    def read_server(self):
        data = self.server.recv(1 << 16)
        if not data:
            raise OSError("server closed")
        self.from_server += data
        while len(self.from_server) >= 5:
            size = 1 + struct.unpack("!I", self.from_server[1:5])[0]
            if len(self.from_server) < size:
                break
            if self.from_server[:1] == b"Z":
                self.pending -= 1
                self.status = self.from_server[5:6]
            self.from_server = self.from_server[size:]
        return data

    def turn(self):
        ready, _, _ = select.select([self.client, self.server], [], [], 0.05)
        if self.server in ready:
            self.client.sendall(self.read_server())
        if self.client in ready:
            data = self.client.recv(1 << 16)
            if not data:
                raise OSError("client closed")
            self.from_client += data
        self.forward()

    def forward(self):
        """Whole messages of the client, the server being changed where nothing is under way."""
        while len(self.from_client) >= 5:
            size = 1 + struct.unpack("!I", self.from_client[1:5])[0]
            if len(self.from_client) < size:
                return
            if self.pending == 0 and self.status == IDLE and self.generation != self.pooler.generation:
                self.connect(first=False)
            message, self.from_client = self.from_client[:size], self.from_client[size:]
            kind, body = message[:1], message[5:]
            if kind in b"QS":
                self.pending += 1
            if (kind == b"Q" and body[:4].upper() == b"SET ") or (kind == b"P" and body[:1] != b"\0"):
                self.made_of.append(message)
            self.server.sendall(message)


class Pooler:
    def __init__(self, upstream):
        self.upstream = upstream
        self.generation = 0
        self.swaps = 0
        self.cuts = {}
        self.listener = socket.socket()
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
            if os.path.exists(self.upstream):
                Session(self, client).start()
            else:
                client.close()

    def swap(self, upstream):
        """Each session goes on there with its next transaction."""
        self.upstream = upstream
        self.generation += 1

    def close(self):
        self.listener.close()
