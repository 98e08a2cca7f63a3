"""Nobody but its user takes keys from a service that `ccr start` started; tokens and certificates say who may do what elsewhere."""
import json
import os
import pathlib
import pwd
import socket
import stat
import subprocess
import tempfile
import unittest

from harness import BIN, PATIENCE, PYTHON, REPO, Process, StackTest, http_request, tls_client, tls_server, wait_for

OK = {"kind": "ok"}
NOBODY = pwd.getpwnam("nobody")
WARNING = "CAN TAKE YOUR KEYS"


def as_nobody():
    if os.getuid() == 0:
        return {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
    raise unittest.SkipTest("only root can be somebody else; tests/integration asserts the decision")


class IdentityTest(StackTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: self.run_ccr("stop"))

    def run_ccr(self, *args, **options):
        result = subprocess.run([BIN / "ccr", "--config", self.config_path, *args], capture_output=True, text=True, timeout=PATIENCE, **options)
        self.seen += [result.stdout, result.stderr]
        return result

    def write(self, **broker):
        fake = self.fake({"canary-key-1": OK})
        self.configure([self.provider(fake, ["canary-key-1"])], Broker={"metrics_listen": "127.0.0.1:0", **broker},
                       Proxy={"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"})

    def addresses(self):
        return json.loads((self.folder / ".claude-code-router.addr").read_text())

    def example(self, *args, **options):
        """client/python/example.py, which leases a key of the pool."""
        stubs = tempfile.mkdtemp(prefix="ccr-stubs-", dir=self.folder)
        os.chmod(stubs, 0o755)
        subprocess.run([REPO / "client/python/generate.sh", stubs], check=True, capture_output=True)
        result = subprocess.run([PYTHON, REPO / "client/python/example.py", "--pool", "fake", *args], capture_output=True, text=True,
                                timeout=PATIENCE, env={"PATH": os.environ["PATH"], "PYTHONPATH": stubs, "PYTHONDONTWRITEBYTECODE": "1"}, **options)
        self.seen += [result.stdout, result.stderr]
        return result

    def test_a_service_is_for_its_user_alone(self):
        self.write()
        started = self.run_ccr("start")
        self.assertEqual(started.returncode, 0, started.stderr)
        self.assertNotIn(WARNING, started.stderr + started.stdout)
        address = self.addresses()["broker"]
        path = pathlib.Path(address.removeprefix("unix:"))
        self.assertEqual(path, self.folder.resolve() / "state/broker.sock")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)
        wait_for(lambda: http_request(self.addresses()["http"], "GET", "/health").status == 200, "health")
        self.assertEqual(http_request(self.addresses()["http"], "POST", "/v1/chat/completions", '{"model":"fake,fake-model"}').status, 200)
        mine = self.example("--broker", address)
        self.assertEqual(mine.returncode, 0, mine.stderr)

        other = as_nobody()
        supervisor = int((self.folder / ".claude-code-router.pid").read_text())
        self.assertEqual(self.ports_of(supervisor), 3, "the proxy's, and metrics of both: no port of gRPC")
        self.assertIn("another user", self.run_ccr("--broker", address, "rotation", **other).stderr)
        # Whatever the files allow, the broker looks at who is there.
        os.chmod(self.folder, 0o755)
        os.chmod(path.parent, 0o711)
        os.chmod(path, 0o666)
        for attempt in (self.example("--broker", address, **other), self.run_ccr("--broker", address, "rotation", **other),
                        self.run_ccr("--broker", address, "health", **other)):
            self.assertNotEqual(attempt.returncode, 0, attempt.stdout)
            self.assertNotIn("leased", attempt.stdout)
        refused = self.run_ccr("--broker", address, "rotation", **other)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn(f"this is uid {NOBODY.pw_uid}", refused.stderr)
        self.assertIn("Broker.identities", refused.stderr)
        self.assertNotIn("ccr start", refused.stderr)
        self.assertNotIn("TLS", refused.stderr)
        self.assertIn(f"connection_refused uid={NOBODY.pw_uid}", (self.folder / "logs/ccr-broker.log").read_text())

    def test_what_a_user_may_not_look_at_is_not_called_stopped(self):
        self.write()
        self.assertEqual(self.run_ccr("start").returncode, 0)
        other = {**as_nobody(), "env": {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}}
        # Who may not enter the folder, who may not read the configuration, and who may not touch the service's files.
        for folder, config, running in ((0o700, 0o644, True), (0o755, 0o600, True), (0o755, 0o600, False), (0o700, 0o644, False)):
            if not running:
                self.assertEqual(self.run_ccr("stop").returncode, 0)
            os.chmod(self.folder, folder)
            os.chmod(self.config_path, config)
            for command in ("status", "rotation", "reload", "stop", "health"):
                with self.subTest(folder=oct(folder), config=oct(config), running=running, command=command):
                    told = self.run_ccr(command, **other)
                    self.assertEqual(told.returncode, 1, told.stdout + told.stderr)
                    self.assertIn("permission denied", told.stderr)
                    self.assertIn("--config", told.stderr)
                    self.assertNotIn("not running", told.stdout + told.stderr)
                    self.assertNotIn("ccr start", told.stderr)

    @staticmethod
    def ports_of(supervisor):
        """How many TCP sockets the daemons listen on."""
        inodes = set()
        for child in pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            for fd in pathlib.Path(f"/proc/{child}/fd").iterdir():
                target = os.readlink(fd)
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        listening = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in pathlib.Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    listening.add(fields[1])
        return len(listening)

    def test_a_state_folder_that_others_may_write_is_refused(self):
        self.write()
        (self.folder / "state").mkdir()
        for mode in (0o777, 0o770):
            os.chmod(self.folder / "state", mode)
            refused = self.run_ccr("start")
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"chmod go-w {self.folder.resolve()}/state", refused.stderr)

    def test_a_strangers_socket_is_not_asked(self):
        other = as_nobody()
        with tempfile.TemporaryDirectory(prefix="ccr-stranger-") as folder:
            os.chmod(folder, 0o777)
            code = "import socket, sys, time\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\nprint('listening', flush=True)\ntime.sleep(1000)"
            with subprocess.Popen([PYTHON, "-c", code, f"{folder}/broker.sock"], stdout=subprocess.PIPE, **other) as stranger:
                try:
                    stranger.stdout.readline()
                    for mode, why in ((0o777, "could answer in the broker's place"), (0o1777, "belongs to another user"), (0o755, "belongs to another user")):
                        os.chmod(folder, mode)
                        result = subprocess.run([BIN / "ccr-proxy", "--broker", f"unix:{folder}/broker.sock", "--listen", "127.0.0.1:0",
                                                 "--metrics-listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE)
                        self.assertEqual(result.returncode, 2, result.stderr)
                        self.assertIn(why, result.stderr)
                finally:
                    stranger.kill()

    def test_tcp_that_asks_for_nothing_is_told_loudly(self):
        self.write(listen="127.0.0.1:0")
        started = self.run_ccr("start")
        self.assertEqual(started.returncode, 0, started.stderr)
        where = f"REACHES {self.addresses()['broker']} {WARNING}"
        self.assertIn(where, started.stderr)
        self.assertIn(where, self.run_ccr("status").stdout)
        self.assertIn(where, json.loads(self.run_ccr("--json", "status").stdout)["warning"])
        self.assertIn(where, (self.folder / "logs/ccr-broker.log").read_text())
        self.assertIn(WARNING, (REPO / "broker/README.md").read_text())
        self.assertEqual(self.example("--broker", self.addresses()["broker"]).returncode, 0)

    def test_tokens_say_who_may_do_what(self):
        (self.folder / "proxy.secret").write_text("canary-token-of-the-proxies\n")
        (self.folder / "look.secret").write_text("canary-token-of-the-dashboard\n")
        for name in ("proxy", "look"):
            os.chmod(self.folder / f"{name}.secret", 0o600)
        fake = self.fake({"canary-key-1": OK})
        self.configure([self.provider(fake, ["canary-key-1"])], Proxy={"broker_token": {"file": "look.secret"}}, Broker={"identities": [
            {"name": "proxies", "role": "lease", "pools": ["fake"], "token": {"file": "proxy.secret"}},
            {"name": "dashboard", "role": "observe", "token": {"file": "look.secret"}}]})
        self.start_broker()
        self.assertNotIn(WARNING, self.broker.text())
        self.start_proxy("--broker-token-file", self.folder / "proxy.secret")
        self.assertEqual(self.chat().status, 200)
        self.assertEqual(self.ccr("rotation").returncode, 0)
        refused = self.ccr("--broker-token-file", self.folder / "proxy.secret", "rotation", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("proxies has the role lease", refused.stderr)
        without = self.example("--broker", self.broker.fields["grpc"])
        self.assertNotEqual(without.returncode, 0)
        self.assertIn("UNAUTHENTICATED", without.stderr)
        looking = self.example("--broker", self.broker.fields["grpc"], "--token-file", self.folder / "look.secret")
        self.assertIn("PERMISSION_DENIED", looking.stderr)
        self.assertEqual(self.example("--broker", self.broker.fields["grpc"], "--token-file", self.folder / "proxy.secret").returncode, 0)

    def test_a_token_file_is_read_again_at_a_reload(self):
        token = self.folder / "look.secret"
        for name, text in (("look", "canary-token-the-first-one"), ("old", "canary-token-the-first-one"), ("boss", "canary-token-of-the-boss")):
            (self.folder / f"{name}.secret").write_text(text)
            os.chmod(self.folder / f"{name}.secret", 0o600)
        fake = self.fake({"canary-key-1": OK})
        self.configure([self.provider(fake, ["canary-key-1"])], Broker={"identities": [
            {"name": "dashboard", "role": "observe", "token": {"file": "look.secret"}},
            {"name": "boss", "role": "admin", "token": {"file": "boss.secret"}}]})
        self.start_broker()
        self.assertEqual(self.ccr("--broker-token-file", token, "rotation").returncode, 0)
        token.write_text("canary-token-the-second-one")
        self.assertNotEqual(self.ccr("--broker-token-file", token, "rotation", check=False).returncode, 0)
        reloaded = self.ccr("--broker-token-file", self.folder / "boss.secret", "reload")
        self.assertIn("Broker.identities (token) changed", reloaded.stdout + reloaded.stderr)
        self.assertEqual(self.ccr("--broker-token-file", token, "rotation").returncode, 0)
        self.assertNotEqual(self.ccr("--broker-token-file", self.folder / "old.secret", "rotation", check=False).returncode, 0)

    def test_certificates_have_the_role_that_names_them(self):
        certs = self.certificates()
        fake = self.fake({"canary-key-1": OK})
        self.configure([self.provider(fake, ["canary-key-1"])], Broker={"identities": [
            {"name": "proxies", "role": "lease", "certificate": "ccr-client"}]})
        self.start_broker(*tls_server(certs))
        self.assertNotIn(WARNING, self.broker.text())
        self.start_proxy(*tls_client(certs))
        self.assertEqual(self.chat().status, 200)
        refused = self.ccr(*tls_client(certs), "rotation", check=False)
        self.assertIn("proxies has the role lease", refused.stderr)
        unnamed = self.ccr("--broker-tls-cert", certs / "broker/broker.crt", "--broker-tls-key", certs / "broker/broker.key",
                           "--broker-tls-ca", certs / "ca.crt", "rotation", check=False)
        self.assertIn("no entry of Broker.identities is for a certificate of ccr-broker", unnamed.stderr)
        self.broker.terminate()
        bad = self.track(Process([BIN / "ccr-broker", "--config", self.config_path, "--listen", "127.0.0.1:0",
                                  "--metrics-listen", "127.0.0.1:0"], self.folder / "bad.log"))
        self.assertEqual(bad.wait(), 2)
        self.assertIn("which nobody checks", bad.text())


if __name__ == "__main__":
    unittest.main()
