"""ccr as a person uses it."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import BIN, PATIENCE, StackTest, http_request, wait_for

OK = {"kind": "ok"}


class CliTest(StackTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: self.run_ccr("stop"))

    def run_ccr(self, *args, env=None):
        result = subprocess.run([BIN / "ccr", "--config", self.config_path, *args], capture_output=True, text=True, timeout=PATIENCE,
                                env=env)
        self.seen += [result.stdout, result.stderr]
        return result

    def write(self, **more):
        fake = self.fake({"canary-key-1": OK, "canary-key-2": {"kind": "status", "status": 401}})
        any_port = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
        self.configure([self.provider(fake, ["canary-key-1", "canary-key-2"])], Broker=any_port, Proxy=any_port, **more)

    def endpoint(self):
        return json.loads((self.folder / ".claude-code-router.addr").read_text())["http"]

    def settled_pool(self):
        """The pool, once the broker says that all its leases have been reported."""
        asked = self.run_ccr("--json", "rotation")
        pool = json.loads(asked.stdout)["pools"][0] if asked.returncode == 0 else {"keys": [{"in_flight": 1}]}
        return pool if not any(key["in_flight"] for key in pool["keys"]) else None

    def request(self):
        return http_request(self.endpoint(), "POST", "/v1/chat/completions", '{"model":"fake,fake-model"}')

    def children(self):
        """The environments of the daemons, by name."""
        supervisor = (self.folder / ".claude-code-router.pid").read_text().split()[0]
        found = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
                if rest.split()[1] == supervisor:
                    found[name] = stat.with_name("environ").read_bytes()
        return found

    def test_the_proxy_gets_no_key_in_its_environment(self):
        fake = self.fake({"canary-key-1": OK})
        any_port = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
        self.configure([self.provider(fake, ["$CCR_E2E_KEY"])], Broker=any_port, Proxy=any_port)
        env = {**os.environ, "CCR_E2E_KEY": "canary-key-1", "CCR_E2E_OTHER": "canary-key-2"}
        started = self.run_ccr("start", env=env)
        self.assertEqual(started.returncode, 0, started.stderr)
        wait_for(lambda: http_request(self.endpoint(), "GET", "/health").status == 200, "health")
        self.assertEqual(self.request().status, 200)
        environments = self.children()
        self.assertIn("ccr-proxy", environments)
        self.assertIn(b"PATH=", environments["ccr-proxy"])
        self.assertNotIn(b"canary-key", environments["ccr-proxy"])

    def test_what_another_system_exported_is_migrated_and_serves(self):
        fake = self.fake({"canary-key-1": OK, "canary-key-2": OK})
        folder = pathlib.Path(tempfile.mkdtemp())  # its key files hold keys, as they should
        self.addCleanup(lambda: (self.run_ccr("stop"), shutil.rmtree(folder)))
        entry = "  - {{model_name: m, litellm_params: {{model: hosted_vllm/fake-model, api_base: http://{}/v1, api_key: {}}}}}\n"
        exported = "model_list:\n" + "".join(entry.format(fake.address, key) for key in ("canary-key-1", "canary-key-2"))
        (folder / "litellm.yaml").write_text(exported)
        self.config_path = folder / "config.json"
        migrated = self.run_ccr("migrate", "--from", "litellm", folder / "litellm.yaml")
        self.assertEqual(migrated.returncode, 0, migrated.stderr)
        self.assertEqual(self.run_ccr("config", "check").returncode, 0)
        config = json.loads(self.config_path.read_text())
        any_port = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
        self.config_path.write_text(json.dumps({**config, "Broker": any_port, "Proxy": any_port}))
        started = self.run_ccr("--json", "start")
        self.assertEqual(started.returncode, 0, started.stderr)
        endpoint = json.loads(started.stdout)["endpoint"].removeprefix("http://")
        for _ in range(4):
            self.assertEqual(http_request(endpoint, "POST", "/v1/chat/completions", '{"model":"fake-model"}').status, 200)
        self.assertEqual({request["key"] for request in fake.requests()}, {"canary-key-1", "canary-key-2"})

    def test_start_status_rotation_stop(self):
        self.write()
        self.assertEqual(self.run_ccr("status").returncode, 3)
        started = self.run_ccr("start")
        self.assertEqual(started.returncode, 0, started.stderr)
        self.assertIn(self.endpoint(), started.stdout)
        wait_for(lambda: http_request(self.endpoint(), "GET", "/health").status == 200, "health")
        for _ in range(4):
            self.assertEqual(self.request().status, 200)
        status = self.run_ccr("status")
        self.assertEqual(status.returncode, 0)
        self.assertIn(self.endpoint(), status.stdout)
        table = self.run_ccr("rotation").stdout
        self.assertRegex(table, r"key-1\s+active")
        self.assertRegex(table, r"key-2\s+disabled\s+auth")
        pool = wait_for(self.settled_pool, "the last report")
        self.assertEqual((pool["provider"], pool["enabled"], pool["strategy"]), ("fake", True, "round_robin"))
        self.assertEqual((pool["total_keys"], pool["available_keys"]), (2, 1))
        good, dead = pool["keys"]
        self.assertEqual((good["state"], good["reason"], good["successes"]), ("active", None, 4))
        self.assertEqual((dead["state"], dead["reason"]), ("disabled", "auth"))
        self.assertRegex(good["last_used"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertIsNone(good["last_failure"])
        again = self.run_ccr("start")
        self.assertEqual(again.returncode, 1)
        self.assertIn("already running", again.stderr)
        restarted = self.run_ccr("restart")
        self.assertEqual(restarted.returncode, 0, restarted.stderr)
        wait_for(lambda: self.request().status == 200, "service after the restart")
        self.assertEqual(self.run_ccr("stop").returncode, 0)
        self.assertEqual(self.run_ccr("status").returncode, 3)
        self.assertFalse((self.folder / ".claude-code-router.pid").exists())
        stopped = self.run_ccr("rotation")
        self.assertEqual(stopped.returncode, 3)
        self.assertIn("ccr start", stopped.stderr)

    def json_of(self, *args, env=None):
        result = self.run_ccr("--json", *args, env=env)
        return result.returncode, json.loads(result.stdout)

    def test_reload_tells_what_the_broker_made_of_the_file(self):
        self.write()
        self.assertEqual(self.json_of("reload"), (3, {"running": False, "error": {
            "kind": "not_running", "message": "not running; start it with: ccr start"}}))
        self.assertEqual(self.json_of("start")[0], 0)
        good = self.config_path.read_text()

        def refused():
            code, verdict = self.json_of("reload", env={**os.environ, "CCR_E2E_NEW": "canary-key-3"})
            self.assertEqual((code, verdict["accepted"]), (2, False))
            self.assertIn("CCR_E2E_NEW is not set", verdict["problems"][0]["message"])

        def add(key):
            config = json.loads(good)
            config["Providers"][0]["api_keys"].append(key)
            self.config_path.write_text(json.dumps(config))

        # A variable of this shell alone: the broker does not have it.
        add("$CCR_E2E_NEW")
        refused()
        self.assertFalse(self.json_of("status")[1]["reload"]["accepted"])
        self.assertIn("CCR_E2E_NEW", self.run_ccr("status").stdout)
        healthy = self.run_ccr("health")
        self.assertEqual(healthy.returncode, 0)
        self.assertIn("CCR_E2E_NEW", healthy.stderr)

        add("canary-key-4")
        told = self.run_ccr("reload")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(self.json_of("status")[1]["pools"][0]["total_keys"], 3)
        broker = self.json_of("status")[1]["broker"]
        code, status = self.json_of("--broker", broker, "status")
        self.assertEqual((code, status["config"], status["pid"]), (0, str(self.config_path), None))
        self.assertIn("config_reloaded", (self.folder / "logs/ccr-broker.log").read_text())

    def test_a_taken_port_is_exit_status_one_and_names_its_settings(self):
        self.write()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            broker = [BIN / "ccr-broker", "--config", self.config_path, "--state-dir", self.folder / "other"]
            for command, field in ((broker + ["--listen", address], "Broker.listen"),
                                   (broker + ["--listen", "127.0.0.1:0", "--metrics-listen", address], "Broker.metrics_listen"),
                                   ([BIN / "ccr-proxy", "--listen", address, "--metrics-listen", "127.0.0.1:0"], "PORT or Proxy.listen"),
                                   ([BIN / "ccr-proxy", "--listen", "127.0.0.1:0", "--metrics-listen", address], "Proxy.metrics_listen")):
                ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(ended.returncode, 1, ended.stderr)
                self.assertIn(address, ended.stderr)
                self.assertIn(field, ended.stderr)

    def test_paths_that_lead_nowhere_are_told(self):
        gone = self.folder / "gone"
        gone.mkdir()
        for args in (["--config", "", "status"], ["--config", "x.json", "status"]):
            command = 'cd "$1" && rmdir "$1"; shift; exec "$@"'
            ended = subprocess.run(["sh", "-c", command, "sh", gone, BIN / "ccr", *args], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(ended.returncode, 2, ended.stderr)
            self.assertIn("--config", ended.stderr)
            gone.mkdir(exist_ok=True)

    def test_a_stale_pid_file_is_recognised(self):
        self.write()
        (self.folder / ".claude-code-router.pid").write_text(f"{os.getpid()}\n")
        self.assertEqual(self.run_ccr("status").returncode, 3)
        self.assertEqual(self.run_ccr("stop").returncode, 0)
        self.assertEqual(self.run_ccr("start").returncode, 0)
        self.assertEqual(self.run_ccr("stop").returncode, 0)

    def test_a_crashed_daemon_comes_back(self):
        self.write()
        self.assertEqual(self.run_ccr("start").returncode, 0)
        supervisor = int((self.folder / ".claude-code-router.pid").read_text())
        children = pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)

        def serves():
            try:
                return self.request().status == 200
            except OSError:
                return False
        wait_for(serves, "the service's return")

    def test_mistakes_are_named(self):
        missing = self.run_ccr("start")
        self.assertEqual(missing.returncode, 2)
        self.assertIn(str(self.config_path), missing.stderr)
        self.config_path.write_text("{\n Providers: [\n  {name: 'x', models: ['m'], api_key: 'canary-key-1'},\n ],\n}")
        bad = self.run_ccr("start")
        self.assertEqual(bad.returncode, 2)
        self.assertIn("config.json:3", bad.stderr)
        self.assertEqual(self.run_ccr("strat").returncode, 2)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            fake = self.fake({"canary-key-1": OK})
            self.configure([self.provider(fake, ["canary-key-1"])], Proxy={"listen": address, "metrics_listen": "127.0.0.1:0"},
                           Broker={"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"})
            result = self.run_ccr("start")
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(address, result.stderr + result.stdout)

    def test_check_prints_the_effective_configuration(self):
        self.write()
        check = subprocess.run([BIN / "ccr-broker", "--check", "--config", self.config_path], capture_output=True, text=True)
        self.seen += [check.stdout, check.stderr]
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertIn("(hidden)", check.stdout)
        self.assertRegex(check.stdout, re.compile(r"max_retries: 3"))

    def test_help_and_version(self):
        for args in (["-h"], ["--help"], ["rotation", "--help"]):
            self.assertEqual(self.run_ccr(*args).returncode, 0)
        self.assertRegex(self.run_ccr("-v").stdout, r"\d+\.\d+\.\d+")
        for binary in ("ccr-broker", "ccr-proxy"):
            for flag in ("--help", "--version"):
                self.assertEqual(subprocess.run([BIN / binary, flag], capture_output=True).returncode, 0)


if __name__ == "__main__":
    unittest.main()
