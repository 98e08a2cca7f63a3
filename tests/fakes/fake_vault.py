#!/usr/bin/python3
"""A Vault on loopback, for tests: KV of both versions, AppRole and Kubernetes logins, tokens that end and are renewed, as the
documentation of its HTTP API says.

  fake_vault.py --listen HOST:PORT [--state FILE]

Control, on the same port: PUT /_control {"secrets": {"kv/data/openai": {"key": "..."}}, "approles": {ROLE_ID: SECRET_ID},
"kubernetes": {ROLE: JWT}, "tokens": [TOKEN, ...], "ttl": SECONDS, "status": 503} (each replaces what was told; a "status" is every answer's,
0 ends that); GET /_control/requests. A path with data/ behind its mount is version 2 of KV. Of --state FILE, JSON of the same form, it begins.
"""
import argparse
import http.server
import json
import threading
import time


class Vault:
    def __init__(self):
        self.lock = threading.Lock()
        self.told = {"secrets": {}, "approles": {}, "kubernetes": {}, "tokens": [], "ttl": 3600, "status": 0}
        self.given = {}  # token: when it ends
        self.requests = []

    def answer(self, method, path, headers, body):
        """Status and body."""
        if path == "_control/requests":
            return 200, self.requests
        if path == "_control":
            self.told.update(body)
            return 200, {}
        self.requests.append(f"{method} {path}")
        if self.told["status"]:
            return self.told["status"], {"errors": ["Vault is sealed"]}
        if headers.get("X-Vault-Request") != "true":
            return 400, {"errors": ["missing required request header"]}
        if method == "POST" and path == "v1/auth/approle/login":
            good = self.told["approles"].get(body["role_id"]) == body["secret_id"]
            return self.login() if good else (400, {"errors": ["invalid role or secret ID"]})
        if method == "POST" and path == "v1/auth/kubernetes/login":
            good = self.told["kubernetes"].get(body["role"]) == body["jwt"]
            return self.login() if good else (403, {"errors": ["permission denied"]})
        token = headers.get("X-Vault-Token")
        if token not in self.told["tokens"] and self.given.get(token, 0) < time.monotonic():
            return 403, {"errors": ["permission denied"]}
        if method == "GET" and path == "v1/auth/token/lookup-self":
            return 200, {"data": {"ttl": 0, "renewable": False}}
        if method == "POST" and path == "v1/auth/token/renew-self":
            return self.auth(token)
        return self.secret(path.removeprefix("v1/")) if method == "GET" else (405, {"errors": ["unsupported operation"]})

    def login(self):
        return self.auth(f"hvs.{len(self.given) + 1}")

    def auth(self, token):
        self.given[token] = time.monotonic() + self.told["ttl"]
        return 200, {"auth": {"client_token": token, "lease_duration": self.told["ttl"], "renewable": True}}

    def secret(self, path):
        data = self.told["secrets"].get(path)
        if data is None:
            return 404, {"errors": []}
        if path.split("/")[1] == "data":
            return 200, {"lease_id": "", "renewable": False, "lease_duration": 0, "data": {"data": data, "metadata": {"version": 1}}}
        return 200, {"lease_id": "", "renewable": False, "lease_duration": 2764800, "data": data}


def handler(vault):
    class Handler(http.server.BaseHTTPRequestHandler):
        def serve(self):
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size)) if size else None
            with vault.lock:
                status, answer = vault.answer(self.command, self.path.lstrip("/"), self.headers, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = serve

        def log_message(self, *args):
            pass

    return Handler


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--state")
    options = parser.parse_args()
    vault = Vault()
    if options.state:
        with open(options.state) as state:
            vault.told.update(json.load(state))
    host, port = options.listen.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), handler(vault))
    print(f"fake-vault ready: http={host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
