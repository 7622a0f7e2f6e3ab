# SPDX-License-Identifier: Apache-2.0
"""Certificates for one run, made by openssl: an authority, servers it vouches for, and a stranger."""
import os

from harness.servers import run_checked


class Authority:
    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.certificate = os.path.join(folder, f"{name}.crt")
        self.key = os.path.join(folder, f"{name}.key")
        run_checked(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key,
                     "-out", self.certificate])

    def issue(self, name, host):
        """(certificate, key) of a server that answers to `host`; the key is PKCS 8, as Java wants it."""
        base = os.path.join(self.folder, name)
        run_checked(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-subj", f"/CN={host}", "-keyout", base + ".key", "-out", base + ".csr"])
        with open(base + ".ext", "w") as out:
            out.write(f"subjectAltName=DNS:{host}\n")
        run_checked(["openssl", "x509", "-req", "-in", base + ".csr", "-CA", self.certificate, "-CAkey",
                     self.key, "-CAcreateserial", "-days", "2", "-extfile", base + ".ext",
                     "-out", base + ".crt"])
        return base + ".crt", base + ".key"
