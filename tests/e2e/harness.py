"""Starts the real binaries against the fake provider, each on free ports, and looks for leaked keys when they are done.

CCR_BIN names the folder of the binaries. A test must hold on a machine that is slow and busy: it waits for what must happen,
however long that takes (PATIENCE says when to give up), and measures times from below only.
"""
import contextlib
import http.client
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

REPO = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("CCR_BIN", REPO / "build/release/bin"))
PYTHON = "/usr/bin/python3"
NPM = REPO / "build/npm"  # where npm/install.sh puts the packages
CANARY = "canary-key-"
PATIENCE = 120  # seconds; only a failure takes so long
TAIL = 40  # lines of each log that a failed test shows


def wait_for(condition, what, timeout=PATIENCE):
    """Returns the first true value of condition(); fails with `what` when there is none in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.01)


def node_environment(node22=False):
    """For a child that uses the npm packages: nothing of ours but the PATH. With `node22` that comes first, from npm too."""
    if not (NPM / "installed").exists():
        raise AssertionError("tests/e2e/npm/install.sh has not been run")
    path = os.environ["PATH"]
    if node22:
        machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
        path = f"{NPM}/node_modules/node22-linux-{machine}/bin:{path}"
    return {"PATH": path, "NODE_PATH": str(NPM / "node_modules"), "NO_PROXY": "127.0.0.1"}


class Process:
    """A child whose stderr goes to a file, known to be ready by a line there."""

    def __init__(self, args, log, ready=None, env=None):
        self.log = pathlib.Path(log)
        self.args = [str(a) for a in args]
        self.offset = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        self.fields = {}
        if ready:
            try:
                line = wait_for(lambda: self.ready_line(ready), f"'{ready}' of {self.args[0]}")
            except AssertionError:
                self.kill()
                raise
            self.fields = dict(part.split("=", 1) for part in line.split() if "=" in part)

    def ready_line(self, ready):
        if self.popen.poll() is not None:
            raise AssertionError(f"{self.args[0]} ended with {self.popen.returncode}: {self.text()[-2000:]}")
        return next((plain for plain in map(self.plain, self.text().splitlines(keepends=True)) if plain and plain.startswith(ready)), None)

    @staticmethod
    def plain(line):
        """A whole line, of JSON too where it says that a daemon is ready, as text."""
        if not line.endswith("\n") or not line.startswith("{"):
            return line if line.endswith("\n") else None
        fields = json.loads(line)
        if fields["event"] != "ready":
            return None
        return f"{fields['program']} ready: " + " ".join(f"{name}={value}" for name, value in fields.items())

    def text(self):
        return self.log.read_bytes()[self.offset:].decode(errors="replace")

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def wait(self):
        """Its exit status."""
        return self.popen.wait(PATIENCE)

    def terminate(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self.wait()


class Answer:
    def __init__(self, response, body):
        self.status, self.body = response.status, body
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]}>"


def http_request(address, method, target, body=None, headers=None, timeout=PATIENCE):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


class Fake:
    def __init__(self, folder, keys, name="fake", listen="127.0.0.1:0"):
        self.process = Process([PYTHON, REPO / "tests/fakes/fake_provider.py", "--listen", listen, "--keys", json.dumps(keys)],
                               folder / f"{name}.upstream", "fake-provider ready:")
        self.address = self.process.fields["http"]

    def tell(self, keys):
        http_request(self.address, "PUT", "/_control/keys", json.dumps(keys))

    def requests(self, key=None):
        all_requests = http_request(self.address, "GET", "/_control/requests").json()
        return [r for r in all_requests if key is None or r["key"] == key]

    def forget(self):
        http_request(self.address, "DELETE", "/_control/requests")

    def release(self):
        """Lets answers go on that are told to be held."""
        http_request(self.address, "POST", "/_control/release")

    def open(self):
        return http_request(self.address, "GET", "/_control/open").json()["open"]


class StackTest(unittest.TestCase):
    """A test with a folder, and broker, proxy and fakes as it starts them. All are ended, and searched for keys, at the end."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ccr-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.config_path = self.folder / "config.json"
        self.processes = []
        self.fakes = []
        self.seen = []  # texts that must not hold a key either: metrics, status answers
        self.addCleanup(self.finish)

    def run(self, result=None):
        result = result or self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        self.tails = ""
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"\n{self.id()} failed; its logs end with\n{self.tails}", file=sys.stderr)
        return result

    def keep_tails(self):
        """The ends of all logs. Keys are in none of them; where one leaked it is not spread further."""
        for path in sorted(self.folder.rglob("*")):
            if path.suffix in (".log", ".upstream") and path.is_file():
                lines = path.read_text(errors="replace").splitlines()[-TAIL:]
                self.tails += f"-- {path.relative_to(self.folder)}\n" + "".join(line[:500] + "\n" for line in lines)
        self.tails = re.sub(CANARY + r"[\w-]*", "(a key)", self.tails)

    def finish(self):
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                self.seen.append(pathlib.Path(f"/proc/{process.popen.pid}/cmdline").read_text(errors="replace"))
                self.seen.append(pathlib.Path(f"/proc/{process.popen.pid}/environ").read_text(errors="replace"))
        for process in reversed(self.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.terminate()
            process.kill()
        for fake in self.fakes:
            fake.process.kill()
        self.keep_tails()
        for process in self.processes:
            for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:"):
                self.assertNotIn(sign, process.text(), process.args[0])
        self.assert_no_canary()

    def assert_no_canary(self):
        for path in self.folder.rglob("*"):
            if path.is_file() and path != self.config_path and path.suffix not in (".upstream", ".secret"):
                self.assertFalse(CANARY.encode() in path.read_bytes(), f"a key leaked into {path}")
        for text in self.seen:
            self.assertFalse(CANARY in text, "a key leaked into what a process shows")

    def fake(self, keys, **options):
        fake = Fake(self.folder, keys, **options)
        self.fakes.append(fake)
        return fake

    def provider(self, fake, keys, name="fake", path="/v1/chat/completions", **more):
        """Keys that are text are called key-1, key-2, ... by position."""
        keys = [{"key": key, "name": f"key-{place}"} if isinstance(key, str) else key for place, key in enumerate(keys, 1)]
        return {"name": name, "api_base_url": f"http://{fake.address}{path}", "api_keys": keys, "models": ["fake-model"], **more}

    def configure(self, providers, **more):
        config = {"Providers": providers, "LOG_LEVEL": "debug", "Router": {"default": f"{providers[0]['name']},{providers[0]['models'][0]}"}, **more}
        self.config_path.touch(mode=0o600)
        self.config_path.write_text(json.dumps(config, indent=1))

    def start_broker(self, *more, listen="127.0.0.1:0"):
        self.broker = self.track(Process([BIN / "ccr-broker", "--config", self.config_path, "--listen", listen,
                                          "--metrics-listen", "127.0.0.1:0", *more], self.folder / "broker.log", "ccr-broker ready:"))
        return self.broker

    def start_proxy(self, *more, listen="127.0.0.1:0"):
        self.proxy = self.track(Process([BIN / "ccr-proxy", "--broker", self.broker.fields["grpc"], "--listen", listen,
                                         "--metrics-listen", "127.0.0.1:0", "--log-level", "debug", *more],
                                        self.folder / "proxy.log", "ccr-proxy ready:"))
        wait_for(lambda: self.get("/health").status == 200, "a healthy proxy")
        return self.proxy

    def certificates(self, folder="certs", *names):
        subprocess.run([REPO / "deploy/make-certs.sh", self.folder / folder, *names], check=True, stdout=subprocess.DEVNULL)
        return self.folder / folder

    def start(self, providers, proxy_flags=(), **more):
        self.configure(providers, **more)
        self.start_broker()
        self.start_proxy(*proxy_flags)

    def track(self, process):
        self.processes.append(process)
        return process

    @property
    def address(self):
        return self.proxy.fields["http"]

    def get(self, target, headers=None, method="GET"):
        return http_request(self.address, method, target, headers=headers)

    def post(self, target, body, headers=None):
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return http_request(self.address, "POST", target, data, {"content-type": "application/json", **(headers or {})})

    def chat(self, model="fake,fake-model", stream=False, headers=None, **more):
        return self.post("/v1/chat/completions",
                         {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}], **more}, headers)

    def ccr(self, *args, check=True, env=None):
        result = subprocess.run([BIN / "ccr", "--config", self.config_path, "--broker", self.broker.fields["grpc"], *args],
                                capture_output=True, text=True, timeout=PATIENCE, env=env)
        self.seen += [result.stdout, result.stderr]
        if check:
            self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        return result

    def rotation(self):
        """What ccr says, or None when the broker was too busy to tell it in time."""
        result = self.ccr("--json", "rotation", check=False)
        if "did not answer within" in result.stderr:
            return None
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        return json.loads(result.stdout)["pools"]

    def pool(self, name="fake"):
        pools = wait_for(self.rotation, "ccr rotation")
        return next(pool for pool in pools if pool["provider"] == name)

    def keys(self, name="fake"):
        return {key["name"]: key for key in self.pool(name)["keys"]}

    def metrics(self, process):
        with urllib.request.urlopen(f"http://{process.fields['metrics']}/metrics", timeout=PATIENCE) as response:
            text = response.read().decode()
        self.seen.append(text)
        return text

    def in_flight(self):
        return self.metric(self.broker, "ccr_key_in_flight")

    def settle(self):
        """Waits until every lease has been reported, which happens beside the answer."""
        wait_for(lambda: self.in_flight() == 0, "the last report")

    def metric(self, process, name, **labels):
        """Sum of the samples of `name` that carry all `labels`."""
        total = 0.0
        for sample in re.finditer(rf"^{name}(?:\{{(.*)\}})? (\S+)$", self.metrics(process), re.M):
            found = dict(re.findall(r'(\w+)="([^"]*)"', sample[1] or ""))
            if all(found.get(k) == v for k, v in labels.items()):
                total += float(sample[2])
        return total


def tls_server(certs):
    return ["--tls-cert", certs / "broker/broker.crt", "--tls-key", certs / "broker/broker.key", "--tls-client-ca", certs / "ca.crt"]


def tls_client(certs):
    return ["--broker-tls-cert", certs / "client/client.crt", "--broker-tls-key", certs / "client/client.key",
            "--broker-tls-ca", certs / "client/ca.crt"]


def in_parallel(count, workers, job):
    """Runs job(i) for i < count on so many threads; returns the results in order. An exception of a job is raised."""
    results, errors, lock, numbers = [None] * count, [], threading.Lock(), iter(range(count))

    def work():
        while not errors:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                results[number] = job(number)
            except BaseException as error:  # handed to the caller
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
