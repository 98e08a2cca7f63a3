"""deploy/docker-compose.yml as its users run it: three proxies behind the edge, load, failures, an upgrade, a backup.

compose_test.sh prepares engine and images. The tests build on one another, in the order of their names.
"""
import collections
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
FOLDER = pathlib.Path(os.environ["CCR_TEST_FOLDER"])
PROJECT = "ccrtest"
EDGE = ("127.0.0.1", 13456)
TOKEN = "canary-token-1"
KEYS = {"good": {"kind": "ok"}, "fair": {"kind": "ok"}, "dead": {"kind": "status", "status": 401}}
COMPOSE = (["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]) + [
    "-f", str(REPO / "deploy/docker-compose.yml"), "-f", str(REPO / "tests/e2e/compose/docker-compose.test.yml")]
ENV = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT, "COMPOSE": " ".join(COMPOSE), "CCR_PUBLISH": f"{EDGE[0]}:{EDGE[1]}",
       "CCR_CONFIG_DIR": str(FOLDER / "config"), "CCR_SECRETS_DIR": str(FOLDER / "secrets"), "CCR_CERTS_DIR": str(FOLDER / "certs"),
       "CCR_EDGE_IMAGE": "ccr-test-edge", "CCR_PROMETHEUS_IMAGE": "ccr-test-prometheus"}
BASE_IMAGE = "debian:bookworm-slim"
CCR_IMAGE = os.environ["CCR_IMAGE"]
MAX_IMAGE_BYTES = 120e6  # over its base


def run(*args, check=True, timeout=300, **more):
    result = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, timeout=timeout, env=ENV, **more)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, args))} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result


def compose(*args, **more):
    return run(*COMPOSE, *args, **more).stdout


def containers(service=None):
    return compose("ps", "-q", *([service] if service else [])).split()


def inspect(*names):
    return json.loads(run("docker", "inspect", *names).stdout)


def wait_for(condition, what, timeout=180):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out waiting for {what}\n" + run("docker", "ps", "-a").stdout + compose("logs", "--tail=15"))
        time.sleep(0.1)


def healthy(service, count=1):
    states = [one["State"].get("Health", {}).get("Status") for one in inspect(*containers(service))] if containers(service) else []
    return states.count("healthy") == count == len(states)


def containers_on(network):
    return list(json.loads(run("docker", "network", "inspect", network).stdout)[0]["Containers"].values())


def in_container(container, port, path):
    """GET from within: the image has no curl."""
    ask = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
    return run("docker", "exec", container, "bash", "-c", ask).stdout


def metric(container, name):
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)\r?$", in_container(container, 9462, "/metrics"), re.M))


def ask_prometheus(path):
    text = run("docker", "exec", containers("prometheus")[0], "wget", "-qO-", f"http://127.0.0.1:9090/api/v1/{path}").stdout
    return json.loads(text)["data"]


def post(body, headers=(), token=TOKEN, timeout=120):
    connection = http.client.HTTPConnection(*EDGE, timeout=timeout)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", "authorization": f"Bearer {token}", **dict(headers)})
    return connection, connection.getresponse()


def chat(stream=False, headers=(), text="hi", **more):
    """Status and the body's chunks, each with the time it came; the last is None when the answer was cut."""
    body = {"model": "fake,fake-model", "stream": stream, "messages": [{"role": "user", "content": text}]}
    connection, response = post(body, headers, **more)
    chunks = []
    try:
        while data := response.read1(65536):
            chunks.append((time.monotonic(), data))
    except (http.client.IncompleteRead, ConnectionError):
        chunks.append((time.monotonic(), None))
    connection.close()
    return response.status, chunks


def text_of(chunks):
    return b"".join(data or b"<cut>" for _, data in chunks)


class Load:
    """Clients that ask again and again, plain and streaming in turns, until the block ends. `failed` says what they saw."""

    def __init__(self, clients=6):
        self.stop, self.done, self.failed = threading.Event(), collections.Counter(), collections.Counter()
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.clients = [self.pool.submit(self.client, number) for number in range(clients)]

    def client(self, number):
        while not self.stop.is_set():
            stream = (number := number + 1) % 2 == 0
            kind = "stream" if stream else "plain"
            try:
                status, chunks = chat(stream, {"x-fake-delay-ms": "30", "x-fake-chunks": "5"} if stream else {"x-fake-delay-ms": "50"})
                text = text_of(chunks)
                good = status == 200 and (text.rstrip().endswith(b"data: [DONE]") if stream else b"Hello" in text)
                why = f"{kind} {status} {text[-200:]}"
            except OSError as error:
                good, why = False, f"{kind} {error!r}"
            self.done[kind] += good
            if not good:
                self.failed[why] += 1

    def __enter__(self):
        wait_for(lambda: self.done.total() > 20 or self.failed, "load")
        return self

    def more(self, count=60):
        """Goes on until so many more requests have ended well."""
        goal = self.done.total() + count
        wait_for(lambda: self.done.total() > goal, "requests under load")

    def __exit__(self, *_):
        self.stop.set()
        self.pool.shutdown()
        for client in self.clients:
            client.result()


def write_folders():
    shutil.copytree(REPO / "deploy/prometheus", FOLDER / "prometheus")
    config = FOLDER / "prometheus/prometheus.yml"
    config.write_text(config.read_text().replace("interval: 15s", "interval: 1s").replace("refresh_interval: 10s", "refresh_interval: 1s"))
    secrets = {f"key_{name}": f"canary-key-{name}" for name in KEYS} | {"client_token": TOKEN}
    for name in ("secrets", "config"):
        (FOLDER / name).mkdir()
    for name, secret in secrets.items():
        (FOLDER / "secrets" / name).write_text(secret + "\n")
    sample = (REPO / "deploy/samples/config.json5").read_text()
    keys = ", ".join(f'{{name: "{name}", key: {{file: "/run/secrets/key_{name}"}}}}' for name in KEYS)
    provider = f'Providers: [{{name: "fake", api_base_url: "http://fake:8000/v1/chat/completions", models: ["fake-model"], api_keys: [{keys}]}}],\n\n  Router: {{default: "fake,fake-model"}},\n\n  Proxy'
    (FOLDER / "config/config.json5").write_text(re.sub(r"Providers: \[.*\n  Proxy", lambda _: provider, sample, flags=re.S))
    run(REPO / "deploy/make-certs.sh", FOLDER / "certs", "broker", "127.0.0.1")
    for path in (FOLDER / "config", FOLDER / "secrets", FOLDER / "certs/broker", FOLDER / "certs/client"):
        run("docker", "run", "--rm", "--network=none", "--user=0", "-v", f"{path}:/mnt", CCR_IMAGE, "sh", "-c", "chown -R 10001:10001 /mnt && chmod -R u=rX,go= /mnt")
    for path in (FOLDER, FOLDER / "certs"):
        path.chmod(0o755)


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.take_down()  # what an interrupted run left
        cls.addClassCleanup(cls.take_down)
        write_folders()

    @classmethod
    def take_down(cls):
        compose("down", "-v", "--remove-orphans", "-t", "5", check=False)

    def test_01_files_are_valid(self):
        self.assertLessEqual({"broker", "proxy", "edge", "prometheus", "grafana"}, set(compose("config", "--services").split()))
        if run("docker", "compose", "version", check=False).returncode == 0:
            run("docker", "compose", "-f", REPO / "deploy/docker-compose.yml", "config", "-q")

    def test_02_image_is_small_and_holds_no_tools(self):
        image, base = inspect(CCR_IMAGE, BASE_IMAGE)
        over = image["Size"] - base["Size"]
        print(f"[{over / 1e6:.0f} MB over its base] ", end="", flush=True)
        self.assertLess(over, MAX_IMAGE_BYTES)
        self.assertEqual(image["Config"]["User"], "10001:10001")
        tools = run("docker", "run", "--rm", "--network=none", CCR_IMAGE, "sh", "-c",
                    "for tool in g++ gcc cc cmake ninja ld ld.lld make protoc python3 git; do command -v $tool; done; ls /src /out", check=False)
        self.assertEqual(tools.stdout, "")
        for program in ("ccr-broker", "ccr-proxy"):
            self.assertIn(program, run("docker", "run", "--rm", "--network=none", "--read-only", CCR_IMAGE, program, "--version").stdout)

    def test_03_without_a_client_token_it_says_so(self):
        config = FOLDER / "no-token.json5"
        config.write_text(re.sub(r"APIKEY:.*", "", (FOLDER / "config/config.json5").read_text()))
        config.chmod(0o644)
        started = run("docker", "run", "--rm", "--network=none", "-v", f"{config}:/etc/ccr/config.json5:ro", "-v", f"{FOLDER}/secrets:/run/secrets:ro",
                      CCR_IMAGE, check=False)
        self.assertEqual(started.returncode, 2)
        self.assertIn("others could use your keys: set APIKEY", started.stderr)

    def test_10_comes_up_healthy(self):
        started = time.monotonic()
        compose("up", "-d", "--no-build", "--scale", "proxy=3", timeout=300)
        for service, count in (("broker", 1), ("proxy", 3), ("edge", 1), ("prometheus", 1)):
            wait_for(lambda: healthy(service, count), f"a healthy {service}")
        print(f"[{time.monotonic() - started:.0f} s] ", end="", flush=True)
        run("docker", "exec", containers("fake")[0], "python3", "-c",
            "import json, urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8000/_control/keys', "
            + repr(json.dumps({f'canary-key-{name}': told for name, told in KEYS.items()}).encode()) + ", method='PUT'))")
        wait_for(lambda: chat()[0] == 200, "an answer through the edge")

    def test_11_only_the_edge_publishes_a_port(self):
        published = {}
        for one in inspect(*containers()):
            bindings = [binding for port in (one["NetworkSettings"]["Ports"] or {}).values() for binding in port or []]
            if bindings:
                published[one["Config"]["Labels"]["com.docker.compose.service"]] = bindings
        self.assertEqual(published, {"edge": [{"HostIp": EDGE[0], "HostPort": str(EDGE[1])}]})
        networks = {network["Name"]: network["Internal"] for network in json.loads(run("docker", "network", "inspect", f"{PROJECT}_control", f"{PROJECT}_metrics").stdout)}
        self.assertEqual(set(networks.values()), {True})
        broker = inspect(containers("broker")[0])[0]
        self.assertEqual(set(broker["NetworkSettings"]["Networks"]), {*networks, f"{PROJECT}_probes"})
        self.assertEqual([one["Name"] for one in containers_on(f"{PROJECT}_probes")], [broker["Name"].lstrip("/")])

    def test_11_the_broker_wants_a_certificate(self):
        ask = ["docker", "run", "--rm", f"--network={PROJECT}_control"]
        client = ["-v", f"{FOLDER}/certs/client:/tls:ro", "-e", "CCR_BROKER_TLS_CA=/tls/ca.crt"]
        identity = ["-e", "CCR_BROKER_TLS_CERT=/tls/client.crt", "-e", "CCR_BROKER_TLS_KEY=/tls/client.key"]
        command = [CCR_IMAGE, "ccr", "--broker", "broker:50061", "rotation"]
        self.assertIn("fake", run(*ask, *client, *identity, *command).stdout)
        for flags in ([], client):
            refused = run(*ask, *flags, *command, check=False)
            self.assertEqual((refused.returncode, refused.stdout), (1, ""), refused.stderr)

    def test_12_containers_are_hardened(self):
        for one in inspect(*(container for service in ("broker", "proxy", "edge", "prometheus") for container in containers(service))):
            name, host = one["Name"], one["HostConfig"]
            self.assertTrue(host["ReadonlyRootfs"], name)
            self.assertEqual(host["CapDrop"], ["ALL"], name)
            self.assertIn("no-new-privileges:true", host["SecurityOpt"], name)
            self.assertGreater(host["Memory"], 0, name)
            self.assertEqual(host["RestartPolicy"]["Name"], "unless-stopped", name)
            status = run("docker", "exec", one["Id"], "cat", "/proc/1/status").stdout
            self.assertNotIn("0", re.search(r"^Uid:(.*)$", status, re.M)[1].split(), name)
            self.assertEqual(int(re.search(r"^CapEff:\s*(\w+)$", status, re.M)[1], 16), 0, name)
            self.assertNotEqual(run("docker", "exec", one["Id"], "touch", "/etc/x", check=False).returncode, 0, name)

    def test_13_requests_pass_the_edge(self):
        status, chunks = chat()
        self.assertEqual((status, b"Hello" in text_of(chunks)), (200, True))
        self.assertEqual(chat(token="wrong")[0], 401)
        self.assertEqual(chat(text="x" * 20_000_000)[0], 200)
        status, chunks = chat(stream=True, headers={"x-fake-delay-ms": "300", "x-fake-chunks": "4"})
        self.assertEqual(status, 200)
        self.assertTrue(text_of(chunks).endswith(b"data: [DONE]\n\n"))
        gaps = [later[0] - earlier[0] for earlier, later in zip(chunks, chunks[1:])]
        self.assertGreaterEqual(sum(gap > 0.15 for gap in gaps), 2, f"a stream arrives as it is sent: {gaps}")

    def test_14_a_client_that_goes_ends_the_request(self):
        connection, response = post({"model": "fake,fake-model", "stream": True, "messages": []}, {"x-fake-delay-ms": "200", "x-fake-chunks": "5000"})
        response.read1(10)
        busy = [container for container in containers("proxy") if metric(container, "ccr_requests_in_flight") > 0]
        self.assertEqual(len(busy), 1)
        response.close()
        connection.close()
        wait_for(lambda: metric(busy[0], "ccr_requests_in_flight") == 0, "the end of the request")

    def test_15_requests_spread_over_the_proxies(self):
        proxies = containers("proxy")
        before = [metric(container, "ccr_requests_total") for container in proxies]
        for _ in range(60):
            self.assertEqual(chat()[0], 200)
        served = [metric(container, "ccr_requests_total") - count for container, count in zip(proxies, before)]
        self.assertGreaterEqual(min(served), 15, served)

    def test_16_prometheus_scrapes_all_and_an_alert_fires(self):
        jobs = {"ccr-broker": 1, "ccr-proxy": 3, "ccr-edge": 1, "prometheus": 1}

        def scraped():
            return collections.Counter(target["labels"]["job"] for target in ask_prometheus("targets")["activeTargets"] if target["health"] == "up") == jobs

        wait_for(scraped, "targets that are up")
        wait_for(lambda: {"CcrKeyDisabled"} == {alert["labels"]["alertname"] for alert in ask_prometheus("alerts")["alerts"] if alert["state"] == "firing"},
                 "the alert of the dead key, and no other")

    def test_20_broker_restarts_under_load(self):
        with Load() as load:
            compose("restart", "-t", "10", "broker")
            load.more()
            broker = containers("broker")[0]
            restarts = inspect(broker)[0]["RestartCount"]
            os.kill(inspect(broker)[0]["State"]["Pid"], 9)  # as if it crashed: docker starts it again
            wait_for(lambda: inspect(broker)[0]["RestartCount"] > restarts, "the broker's return")
            load.more()
        self.assertEqual(load.failed, {}, load.done)

    def test_21_a_stopped_proxy_ends_its_streams_first(self):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            stream = pool.submit(chat, True, {"x-fake-delay-ms": "500", "x-fake-chunks": "12"})
            busy = wait_for(lambda: [container for container in containers("proxy") if metric(container, "ccr_requests_in_flight") > 0], "the stream")
            with Load() as load:
                run("docker", "stop", "-t", "60", busy[0])
                self.assertTrue(stream.done(), "the proxy went before its stream had ended")
                load.more()
            status, chunks = stream.result()
        self.assertEqual((status, text_of(chunks).endswith(b"data: [DONE]\n\n")), (200, True))
        self.assertEqual(load.failed, {}, load.done)
        self.assertEqual(inspect(busy[0])[0]["State"]["ExitCode"], 0)
        run("docker", "start", busy[0])
        wait_for(lambda: healthy("proxy", 3), "the proxy's return")

    def test_22_a_killed_proxy_takes_its_streams_only(self):
        with Load() as load:
            victim = containers("proxy")[0]
            os.kill(inspect(victim)[0]["State"]["Pid"], 9)
            load.more()
            wait_for(lambda: healthy("proxy", 3), "the proxy's return")
            load.more()
        self.assertFalse([why for why in load.failed if why.startswith("plain")], load.failed)
        self.assertLessEqual(load.failed.total(), 6, load.failed)

    def test_23_upgrades_under_load(self):
        old = set(containers("proxy"))
        with Load() as load:
            long = load.pool.submit(chat, True, {"x-fake-delay-ms": "400", "x-fake-chunks": "25"})
            # What the image would change: the broker is made anew.
            with open(FOLDER / "upgrade.yml", "w") as changed:
                changed.write("services:\n  broker: {labels: {upgraded: 'yes'}}\n  proxy: {labels: {upgraded: 'yes'}}\n")
            result = subprocess.run([REPO / "deploy/upgrade.sh"], capture_output=True, text=True, timeout=300,
                                    env={**ENV, "COMPOSE": f"{ENV['COMPOSE']} -f {FOLDER}/upgrade.yml"})
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            load.more()
        self.assertEqual(load.failed, {}, load.done)
        status, chunks = long.result()
        self.assertEqual((status, text_of(chunks).endswith(b"data: [DONE]\n\n")), (200, True))
        new = containers("proxy")
        self.assertEqual((len(new), old & set(new)), (3, set()))
        for one in inspect(*new, *containers("broker")):
            self.assertEqual(one["Config"]["Labels"].get("upgraded"), "yes")

    def test_24_backup_and_restore(self):
        def fingerprints():
            rotation = json.loads(compose("exec", "-T", "broker", "ccr", "--json", "rotation"))
            return [(key["fingerprint"], key["state"]) for pool in rotation["pools"] for key in pool["keys"]]

        before = fingerprints()
        self.assertEqual([state for _, state in before], ["active", "active", "disabled"])
        backup = FOLDER / "state.tar.gz"
        compose("stop", "broker")
        with open(backup, "wb") as out:
            subprocess.run([*COMPOSE, "run", "--rm", "--no-deps", "-T", "broker", "tar", "-C", "/var/lib/ccr", "-cz", "."], stdout=out, stderr=subprocess.DEVNULL, check=True, env=ENV, timeout=120)
        compose("rm", "-f", "-s", "broker")
        run("docker", "volume", "rm", f"{PROJECT}_state")
        with open(backup, "rb") as data:
            subprocess.run([*COMPOSE, "run", "--rm", "--no-deps", "-T", "broker", "tar", "-C", "/var/lib/ccr", "-xz"], stdin=data, stderr=subprocess.DEVNULL, check=True, env=ENV, timeout=120)
        compose("up", "-d", "--no-build", "--no-deps", "broker")
        wait_for(lambda: healthy("broker"), "a healthy broker")
        self.assertEqual(fingerprints(), before)
        wait_for(lambda: chat()[0] == 200, "an answer")

    def test_90_no_secret_shows(self):
        shown = [run("docker", "image", "history", "--no-trunc", CCR_IMAGE).stdout, compose("logs", "--no-color")]
        for container in containers():
            shown += [run("docker", "inspect", container).stdout, run("docker", "logs", container).stdout,
                      # Nobody reads the environment of broker and proxy but root: they are not dumpable.
                      run("docker", "exec", container, "bash", "-c", "cat /proc/1/cmdline; cat /proc/1/environ 2>/dev/null; true").stdout]
        for container, port in [(containers("broker")[0], 9461)] + [(proxy, 9462) for proxy in containers("proxy")]:
            shown.append(in_container(container, port, "/metrics"))
        self.assertGreater(len(shown), 10)
        for text in shown:
            found = re.search("canary-.{0,20}", text)
            self.assertIsNone(found, found)


if __name__ == "__main__":
    unittest.main()
