"""ccr code, activate, health, model and completion as a person uses them."""
import json
import os
import pathlib
import pty
import select
import signal
import socket
import subprocess
import unittest

from harness import BIN, PATIENCE, StackTest, wait_for

OK = {"kind": "ok"}

CLAUDE = """#!/usr/bin/python3
import json, os, sys, time, urllib.request
folder = os.path.dirname(os.path.abspath(__file__))
name = os.environ.get("SESSION", "claude")
request = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", method="POST",
    headers={"authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"], "content-type": "application/json"},
    data=json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).encode())
answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
with open(folder + "/" + name + ".new", "w") as out:
    json.dump({"args": sys.argv[1:], "env": dict(os.environ), "status": answer.status, "model": json.load(answer)["model"]}, out)
os.rename(folder + "/" + name + ".new", folder + "/" + name + ".ran")
while name != "claude" and not os.path.exists(folder + "/" + name + ".done"):
    time.sleep(0.02)
if "--fail" in sys.argv:
    sys.exit(42)
"""


class CliCodeTest(StackTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: self.run_ccr("stop"))
        (self.folder / "bin").mkdir()
        self.claude = self.folder / "bin/claude"
        self.claude.write_text(CLAUDE)
        self.claude.chmod(0o755)
        self.env = {**os.environ, "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "NO_PROXY": "corp.example",
                    "ANTHROPIC_API_KEY": "of the user", "CLAUDE_CODE_USE_BEDROCK": "1"}
        self.env.pop("CLAUDE_PATH", None)

    def run_ccr(self, *args, **options):
        options.setdefault("env", self.env)
        result = subprocess.run([BIN / "ccr", "--config", self.config_path, *args], capture_output=True, text=True, timeout=PATIENCE, **options)
        self.seen += [result.stdout, result.stderr]
        return result

    def write(self, **more):
        fake = self.fake({"canary-key-1": OK})
        any_port = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
        self.configure([self.provider(fake, ["canary-key-1"], path="/v1/messages")],
                       **{"Broker": any_port, "Proxy": any_port, "APIKEY": "it's-a-client's-token", **more})

    def session(self, name):
        process = subprocess.Popen([BIN / "ccr", "--config", self.config_path, "code"], stdin=subprocess.DEVNULL,
                                   env={**self.env, "SESSION": name})
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup((self.folder / f"bin/{name}.done").touch)
        return process

    def await_sessions(self, *names):
        wait_for(lambda: all((self.folder / f"bin/{name}.ran").exists() for name in names), "the sessions")

    def ran(self, name="claude"):
        told = json.loads((self.folder / f"bin/{name}.ran").read_text())
        self.seen.append(json.dumps(told))
        return told

    def running(self):
        return self.run_ccr("status").returncode == 0

    def test_claude_runs_through_a_service_that_lives_as_long(self):
        self.write(API_TIMEOUT_MS=123456)
        args = ["-p", "a prompt", "--help", "--", "-v", "--config", "--json"]
        result = self.run_ccr("code", *args)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)
        told = self.ran()
        self.assertEqual((told["args"], told["status"]), (args, 200))
        env = told["env"]
        self.assertRegex(env["ANTHROPIC_BASE_URL"], r"^http://127\.0\.0\.1:[1-9]\d+$")
        self.assertEqual(env["ANTHROPIC_AUTH_TOKEN"], "it's-a-client's-token")
        self.assertEqual((env["API_TIMEOUT_MS"], env["NO_PROXY"]), ("123456", "corp.example,127.0.0.1"))
        self.assertNotIn("ANTHROPIC_API_KEY", env)
        self.assertNotIn("CLAUDE_CODE_USE_BEDROCK", env)
        self.assertFalse(self.running())
        self.assertEqual(self.run_ccr("code", "--fail").returncode, 42)

    def test_wildcard_address_becomes_loopback(self):
        self.write(Proxy={"listen": "0.0.0.0:0", "metrics_listen": "127.0.0.1:0"})
        self.assertEqual(self.run_ccr("code").returncode, 0)
        self.assertIn("//127.0.0.1:", self.ran()["env"]["ANTHROPIC_BASE_URL"])

    def test_last_session_ends_the_service_even_after_a_kill(self):
        self.write()
        sessions = []
        for name in ("one", "two", "three"):
            sessions.append(self.session(name))
            self.await_sessions(name)
        self.assertEqual(len({self.ran(name)["env"]["ANTHROPIC_BASE_URL"] for name in ("one", "two", "three")}), 1)
        sessions[0].kill()
        sessions[0].wait()
        (self.folder / "bin/two.done").touch()
        self.assertEqual(sessions[1].wait(PATIENCE), 0)
        self.assertTrue(self.running())
        (self.folder / "bin/three.done").touch()
        self.assertEqual(sessions[2].wait(PATIENCE), 0)
        self.assertFalse(self.running())

    def test_sessions_that_begin_at_once_share_one_service(self):
        self.write()
        names = [f"s{i}" for i in range(4)]
        started = [self.session(name) for name in names]
        self.await_sessions(*names)
        for name in names:
            (self.folder / f"bin/{name}.done").touch()
        self.assertEqual([process.wait(PATIENCE) for process in started], [0] * 4)
        self.assertEqual(len({self.ran(name)["env"]["ANTHROPIC_BASE_URL"] for name in names}), 1)
        self.assertFalse(self.running())

    def test_a_started_service_stays(self):
        self.write()
        self.assertEqual(self.run_ccr("start").returncode, 0)
        self.assertEqual(self.run_ccr("code").returncode, 0)
        self.assertTrue(self.running())

    def test_a_service_kept_by_others_is_used(self):
        self.write()
        self.start_broker()
        self.start_proxy()
        config = json.loads(self.config_path.read_text())
        config["Proxy"]["listen"] = self.address
        self.config_path.write_text(json.dumps(config))
        self.assertEqual(self.run_ccr("code").returncode, 0)
        self.assertEqual(self.ran()["env"]["ANTHROPIC_BASE_URL"], f"http://{self.address}")
        self.assertEqual(self.get("/health").status, 200)

    def test_on_a_terminal_interrupt_is_for_claude(self):
        self.write()
        self.claude.write_text("#!/bin/sh\ntrap 'echo interrupted; exit 3' INT\ntest -t 0 && test -t 1 && echo ready\n"
                               "while :; do sleep 0.05; done\n")
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background ignores it
            os.execve(BIN / "ccr", ["ccr", "--config", str(self.config_path), "code"], self.env)
        self.addCleanup(os.close, terminal)
        shown = b""

        def show(text):
            nonlocal shown
            while text not in shown:
                self.assertTrue(select.select([terminal], [], [], PATIENCE)[0], shown)
                shown += os.read(terminal, 1024)
        show(b"ready")
        os.write(terminal, b"\x03")
        show(b"interrupted")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)
        self.assertFalse(self.running())

    def test_missing_claude_is_explained(self):
        self.write()
        self.claude.unlink()
        result = self.run_ccr("code", "-p", "x", env={**self.env, "PATH": str(self.folder / "bin")})
        self.assertEqual(result.returncode, 127)
        self.assertIn("npm install -g @anthropic-ai/claude-code", result.stderr)
        self.assertFalse(self.running())

    def test_activate_survives_eval(self):
        self.write()
        self.assertEqual(self.run_ccr("activate").returncode, 3)  # any port: known only when it runs
        self.assertEqual(self.run_ccr("start").returncode, 0)
        for command in ("activate", "env"):
            shell = subprocess.run(["sh", "-c", f'eval "$("$0" --config "$1" {command})" && "$2" from-sh', BIN / "ccr", self.config_path,
                                    self.claude], env=self.env, capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((shell.returncode, shell.stderr), (0, ""))
            told = self.ran()
            self.assertEqual((told["args"], told["status"]), (["from-sh"], 200))
            self.assertNotIn("ANTHROPIC_API_KEY", told["env"])

    def test_health(self):
        self.write()
        self.assertEqual(self.run_ccr("health").returncode, 1)
        self.assertEqual(self.run_ccr("start").returncode, 0)
        wait_for(lambda: self.run_ccr("health").returncode == 0, "health")
        addresses = json.loads((self.folder / ".claude-code-router.addr").read_text())
        for part, address in (("proxy", addresses["http"]), ("broker", addresses["broker"])):
            wait_for(lambda: self.run_ccr("health", f"--{part}", address).stdout == f"healthy: {part} {address}\n", f"health of the {part}")
        self.assertEqual(self.run_ccr("health", "--proxy", addresses["metrics"]).returncode, 1)
        self.assertEqual(self.run_ccr("health", "--broker", addresses["http"]).returncode, 1)
        wait_for(lambda: json.loads(self.run_ccr("--json", "health").stdout)["healthy"], "health as JSON")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = "127.0.0.1:%d" % silent.getsockname()[1]
            result = self.run_ccr("health", "--proxy", address, "--broker", address)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn("no answer within 2 s", result.stdout + result.stderr)

    def test_running_broker_takes_a_changed_route(self):
        self.write()
        self.assertEqual(self.run_ccr("start").returncode, 0)
        config = json.loads(self.config_path.read_text())
        config["Providers"][0]["models"].append("second-model")
        self.config_path.write_text(json.dumps(config, indent=1))
        changed = self.run_ccr("model", "default", "fake,second-model")
        self.assertEqual(changed.returncode, 0, changed.stderr)
        self.assertIn("by itself", changed.stdout)

        wait_for(lambda: self.run_ccr("code").returncode == 0 and self.ran()["model"] == "second-model", "the second model")
        for path in self.folder.glob("config.json*"):  # the backup is as private as the file
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        (self.folder / "config.json.bak").unlink()

    def complete(self, *words):
        """What bash completes for these words, the last one unfinished."""
        script = ('source <("$0" completion bash) || exit 9; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ccr; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        result = subprocess.run(["bash", "-c", script, BIN / "ccr", BIN / "ccr", "--config", self.config_path, *words],
                                capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.split()

    def test_bash_completion(self):
        self.write()
        self.assertEqual(self.complete("sta"), ["start", "status"])
        self.assertEqual(self.complete("rotation", "--w"), ["--watch", "--wide"])
        self.assertEqual(self.complete("rotation", "--j"), ["--json"])
        self.assertEqual(self.complete("rotation", ""), ["fake"])
        self.assertEqual(self.complete("config", ""), ["check", "diff"])
        self.assertEqual(self.complete("config", "check", "conf"), ["config.json"])
        self.assertEqual(self.complete("--config", "conf"), ["config.json"])
        self.assertEqual(self.complete("start", "--broker", ""), [])
        self.assertEqual(self.complete("model", "lo"), ["longContext"])
        self.assertEqual(self.complete("model", "think", ""), ["fake,fake-model"])
        self.assertEqual(self.complete("completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.complete("code", "--w"), [])
        self.assertNotIn("__complete", self.complete(""))


if __name__ == "__main__":
    unittest.main()
