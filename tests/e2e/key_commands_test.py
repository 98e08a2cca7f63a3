"""What `ccr key`, `ccr pool`, `ccr events` and `ccr config diff` do to a broker and a proxy at work."""
import json
import signal
import subprocess
import threading
import time
import unittest

from harness import BIN, Process, StackTest, wait_for

OK = {"kind": "ok"}
DEAD = {"kind": "status", "status": 401}
A1, A2 = "canary-key-a1", "canary-key-a2"


class Load:
    """Requests from a few threads until the end; of each when it began, its status and the key that served it."""

    def __init__(self, test, workers=4):
        self.test, self.results, self.ended = test, [], False
        self.threads = [threading.Thread(target=self.work) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while not self.ended:
            began = time.monotonic()
            answer = self.test.chat()
            self.results.append((began, answer.status, answer.headers.get("x-ccr-key")))

    def since(self, moment):
        return [result for result in list(self.results) if result[0] > moment]

    def end(self):
        self.ended = True
        for thread in self.threads:
            thread.join()


class KeyCommandsTest(StackTest):
    def start_two(self, first=OK, **more):
        fake = self.fake({A1: first, A2: OK})
        self.start([self.provider(fake, [{"key": A1, "name": "work"}, {"key": A2, "name": "team"}], session_affinity=False, **more)])
        return fake

    def ask(self, *args):
        """The answer in JSON."""
        return json.loads(self.ccr("--json", *args).stdout)

    def refused(self, status, *args):
        """The words of a command that fails, in text and in JSON."""
        text = self.ccr(*args, check=False)
        self.assertEqual((text.returncode, text.stdout), (status, ""), text.stderr)
        told = self.ccr("--json", *args, check=False)
        self.assertEqual(told.returncode, status, told.stdout)
        error = json.loads(told.stdout)["error"]
        self.assertEqual(error["kind"], {1: "failed", 2: "bad_input", 3: "not_running"}[status])
        self.assertIn(error["message"].splitlines()[0], text.stderr)
        return text.stderr

    def test_disable_under_load(self):
        fake = self.start_two()
        load = Load(self)
        try:
            wait_for(lambda: any(key == "work" for _, _, key in list(load.results)), "an answer by the key")
            said = self.ccr("key", "disable", "fake", "work")
            acknowledged = time.monotonic()
            wait_for(lambda: self.keys()["work"]["in_flight"] == 0, "the end of the leases that were out")
            calls, uses = len(fake.requests(A1)), self.keys()["work"]["uses"]
            wait_for(lambda: len(load.since(acknowledged)) > 100, "a hundred requests")
        finally:
            load.end()
        self.assertIn("no request gets it", said.stdout)
        self.assertIn("Taking it back: ccr key enable fake work", said.stdout)
        self.assertEqual({status for _, status, _ in load.results}, {200})
        self.assertEqual({key for _, _, key in load.since(acknowledged)}, {"team"})
        self.assertEqual((len(fake.requests(A1)), self.keys()["work"]["uses"]), (calls, uses))
        self.assertEqual(self.ask("key", "enable", "fake", "work")["key"]["state"], "active")
        wait_for(lambda: self.chat().headers["x-ccr-key"] == "work", "an answer by the key that is back")

    def test_a_key_that_people_took_out_stays_out_over_a_kill(self):
        self.start_two()
        self.ccr("key", "disable", "fake", "work")
        address = self.broker.fields["grpc"]
        self.broker.kill()
        self.start_broker(listen=address)
        self.assertEqual((self.keys()["work"]["state"], self.keys()["work"]["reason"]), ("disabled", "operator"))
        wait_for(lambda: self.chat().status == 200, "the proxy's way back to the broker")
        self.assertEqual({self.chat().headers["x-ccr-key"] for _ in range(6)}, {"team"})

    def test_disable_for_a_time(self):
        self.start_two()
        began = time.time()
        change = self.ask("key", "disable", "fake", "work", "--for", "1s")
        self.assertEqual((change["provider"], change["key"]["name"], change["key"]["state"]), ("fake", "work", "disabled"))
        self.assertIsNotNone(change["key"]["available_at"])
        wait_for(lambda: self.keys()["work"]["state"] == "active", "the end of the time")
        self.assertGreaterEqual(time.time() - began, 1)
        self.assertIn("for 2h 00m", self.ccr("key", "disable", "fake", "work", "--for", "2h").stdout)

    def test_enable_forgets_what_disabled_it(self):
        fake = self.start_two(first=DEAD)
        for _ in range(4):
            self.assertEqual(self.chat().status, 200)
        self.settle()
        self.assertEqual(self.keys()["work"]["reason"], "auth")
        fake.tell({A1: OK})
        self.assertIn("is enabled: active", self.ccr("key", "enable", "fake", "work").stdout)
        wait_for(lambda: self.chat().headers["x-ccr-key"] == "work", "an answer by the key")

    def test_reset_ends_a_rest_and_history_tells_of_it(self):
        self.start_two(first={"kind": "status", "status": 429, "headers": {"retry-after": "3600"}})
        for _ in range(4):
            self.assertEqual(self.chat().status, 200)
        self.settle()
        self.assertEqual(self.keys()["work"]["state"], "cooling")
        listed = self.ccr("key", "list", "fake").stdout.splitlines()
        self.assertRegex(listed[1], r"^fake +work +[0-9a-f]{16} +cooling +rate_limited +(59m|1h)")
        self.assertEqual(self.ask("key", "reset", "fake", "work")["key"]["state"], "active")
        history = self.ask("key", "history", "fake", "work")
        self.assertEqual(history["key"]["name"], "work")
        self.assertIn("cooling", [event["type"] for event in history["events"]])
        self.assertIn("fake work cooling", self.ccr("key", "history", "fake", "work").stdout)
        self.assertIn("Nothing has happened", self.ccr("key", "history", "fake", "team").stdout)

    def test_test_asks_the_provider_now(self):
        fake = self.start_two()
        self.assertIn("the provider takes it (HTTP 200", self.ccr("key", "test", "fake", "work").stdout)
        self.assertEqual([r["target"] for r in fake.requests(A1)], ["/v1/models"])
        fake.tell({A1: DEAD})
        told = self.ccr("--json", "key", "test", "fake", "work", check=False)
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertEqual(json.loads(told.stdout)["test"]["http_status"], 401)

    def test_strategy_and_limits(self):
        self.start_two()
        said = self.ccr("pool", "set", "fake", "fill_first", "rpm=600", "max_wait=2s").stdout
        self.assertIn("strategy is fill_first, rpm is 600, max_wait is 2s now", said)
        self.assertIn("As in the file: ccr pool set fake strategy=round_robin rpm=none max_wait=30s", said)
        self.assertEqual(self.pool()["strategy"], "fill_first")
        self.assertEqual({self.chat().headers["x-ccr-key"] for _ in range(4)}, {"work"})
        self.ccr("key", "disable", "fake", "team")
        self.assertEqual(self.ccr("config", "diff").stdout,
                         "fake: strategy is round_robin in the file, fill_first in the broker\n"
                         "fake's key 'team': enabled is yes in the file, no in the broker\n")
        self.ccr("pool", "set", "fake", "strategy=round_robin", "rpm=none", "max_wait=30s")
        self.ccr("key", "enable", "fake", "team")
        self.assertTrue(self.ask("config", "diff")["same"])

    def test_diff_names_keys_of_the_file_as_the_broker_does(self):
        fake = self.fake({A1: OK, A2: OK})
        self.start([self.provider(fake, [{"key": A1}, {"key": A2}])])
        self.assertTrue(self.ask("config", "diff")["same"])

    def test_events(self):
        self.start_two()
        follower = self.track(Process([BIN / "ccr", "--broker", self.broker.fields["grpc"], "--json", "events", "fake", "--follow"],
                                      self.folder / "events.log"))

        def disabled():
            self.ccr("key", "disable", "fake", "work")
            self.ccr("key", "enable", "fake", "work")
            return '"disabled"' in follower.text()
        wait_for(disabled, "the event")
        event = next(e for e in map(json.loads, follower.text().splitlines()) if e["type"] == "disabled")
        self.assertEqual((event["provider"], event["key"], event["reason"]), ("fake", "work", "operator"))
        follower.popen.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 0)

    def test_wrong_input(self):
        self.start_two()
        self.assertIn("did you mean 'work'?", self.refused(1, "key", "disable", "fake", "wrok"))
        self.assertIn("did you mean 'fake'?", self.refused(1, "key", "reset", "fakr", "work"))
        self.assertIn("'2x' is no length of time", self.refused(2, "key", "disable", "fake", "work", "--for", "2x"))
        self.assertIn("year", self.refused(2, "key", "disable", "fake", "work", "--for", "9000d"))
        self.assertIn("did you mean weighted?", self.refused(2, "pool", "set", "fake", "weigthed"))
        self.assertIn("did you mean rpm?", self.refused(2, "pool", "set", "fake", "rmp=1"))
        self.assertIn("max_waiting", self.refused(2, "pool", "set", "fake", "max_waiting=0"))
        self.assertIn("--follow", self.refused(2, "events"))
        self.assertIn("key is required", self.refused(2, "key", "enable", "fake"))
        self.broker.terminate()
        self.assertIn("no broker answers", self.refused(3, "key", "disable", "fake", "work"))

    def test_completion_knows_providers_and_keys(self):
        self.start_two()
        candidates = self.ccr("__complete", "KEY", "--", "fake").stdout
        self.assertEqual(candidates, "work\nteam\n")
        script = self.ccr("completion", "bash").stdout
        words = ["ccr", "--broker", self.broker.fields["grpc"], "key", "disable", "fake", ""]
        array = " ".join(f"'{word}'" for word in words)
        program = f"{script}\nCOMP_WORDS=({array}) COMP_CWORD={len(words) - 1}\nCOMP_WORDS[0]='{BIN / 'ccr'}'\n_ccr\necho \"${{COMPREPLY[@]}}\""
        result = subprocess.run(["bash", "-c", program], capture_output=True, text=True,
                                env={"PATH": "/usr/bin:/bin", "CCR_BROKER": self.broker.fields["grpc"], "HOME": str(self.folder)})
        self.assertEqual(result.stdout.split(), ["work", "team"], result.stderr)


if __name__ == "__main__":
    unittest.main()
