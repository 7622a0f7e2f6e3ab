# SPDX-License-Identifier: Apache-2.0
"""A schema registry for tests: the documented answers of GET /schemas/ids/{id}, and faults on demand."""
import http.server
import json
import threading
import time


class Registry:
    """`schemas`: {id: answer}. `status`: what all requests get instead; `hang_s`: how long an answer takes."""

    def __init__(self, schemas):
        self.schemas, self.status, self.hang_s, self.requests = schemas, None, 0, []
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                registry.requests.append(self.path)
                time.sleep(registry.hang_s)
                words = self.path.split("?")[0].split("/")
                answer = registry.schemas.get(int(words[3])) if words[1:3] == ["schemas", "ids"] else None
                status = registry.status or (200 if answer else 404)
                body = json.dumps(answer if status == 200 else {"error_code": 40403, "message": "Schema not found"}).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # who asked has given up

            def log_message(self, *_words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.server.shutdown()
        self.server.server_close()
