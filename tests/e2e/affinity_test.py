"""A client's session stays with the key that served it, and the load stays even."""
import collections
import concurrent.futures
import json
import unittest

from harness import StackTest, wait_for

OK = {"kind": "ok"}
KEYS = ["canary-key-a1", "canary-key-a2", "canary-key-a3"]
RESULTS = ["hit", "moved", "none", "over_share"]


class AffinityTest(StackTest):
    def start_three(self, **more):
        fake = self.fake({key: OK for key in KEYS})
        self.start([self.provider(fake, KEYS, **more)])
        return fake

    def send(self, session, **more):
        answer = self.chat(headers={"x-claude-code-session-id": session}, **more)
        self.assertEqual(answer.status, 200)
        return answer

    def key_of(self, fake, session):
        """The key of one more request of the session."""
        before = len(fake.requests())
        self.send(session)
        self.settle()
        return fake.requests()[before:][-1]["key"]

    def results(self):
        return {result: self.metric(self.broker, "ccr_session_affinity_total", pool="fake", result=result) for result in RESULTS}

    def uses(self, fake):
        return collections.Counter(r["key"] for r in fake.requests())

    def test_sessions_stick_and_the_total_is_even(self):
        fake = self.start_three()
        names = [f"session-{i}" for i in range(6)]
        first = {name: self.key_of(fake, name) for name in names}
        self.assertEqual(sorted(first.values()), sorted(KEYS * 2))
        for turn in range(9):
            for name in names:
                self.assertEqual(self.key_of(fake, name), first[name], f"{name}, turn {turn}")
        self.assertEqual(self.uses(fake), {key: 20 for key in KEYS})
        self.assertEqual(self.results(), {"hit": 54, "moved": 0, "none": 6, "over_share": 0})
        self.assertEqual(self.metric(self.broker, "ccr_sessions", pool="fake"), 6)
        self.assertNotIn("session-0", self.broker.text() + self.metrics(self.broker))

    def test_the_session_of_a_body_counts_too(self):
        fake = self.fake({key: OK for key in KEYS})
        self.start([self.provider(fake, KEYS, path="/v1/messages")])
        for session in ("one", "two"):
            body = {"model": "fake,fake-model", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}],
                    "metadata": {"user_id": f"user_x_account__session_{session}"}}
            for _ in range(5):
                self.assertEqual(self.post("/v1/messages", body).status, 200)
                self.settle()
        self.assertEqual(sorted(self.uses(fake).values()), [5, 5])

    def test_a_session_moves_when_its_key_is_rate_limited(self):
        fake = self.start_three()
        old = self.key_of(fake, "ann")
        fake.tell({old: {"kind": "status", "status": 429, "headers": {"retry-after": "600"}}})
        new = self.key_of(fake, "ann")
        self.assertNotEqual(new, old)
        for _ in range(5):
            self.assertEqual(self.key_of(fake, "ann"), new)
        self.assertEqual(self.uses(fake)[old], 2)
        self.assertEqual(self.results(), {"hit": 6, "moved": 1, "none": 1, "over_share": 0})

    def test_a_reload_keeps_sessions_and_can_turn_them_off(self):
        fake = self.start_three()
        key = self.key_of(fake, "ann")
        config = json.loads(self.config_path.read_text())
        config["Providers"][0]["max_retries"] = 5
        self.reload(config)
        for _ in range(3):
            self.assertEqual(self.key_of(fake, "ann"), key)
        config["Providers"][0]["session_affinity"] = False
        self.reload(config)
        self.assertEqual(len({self.key_of(fake, "ann") for _ in range(3)}), 3)
        self.assertEqual(self.metric(self.broker, "ccr_sessions", pool="fake"), 0)

    def reload(self, config):
        count = self.metric(self.broker, "ccr_config_reloads_total", result="success")
        self.config_path.write_text(json.dumps(config))
        self.broker.popen.send_signal(1)  # SIGHUP
        wait_for(lambda: self.metric(self.broker, "ccr_config_reloads_total", result="success") > count, "the reload")

    def test_one_session_with_many_requests_at_once_is_spread(self):
        fake = self.start_three()
        self.key_of(fake, "crowd")
        fake.forget()
        fake.tell({"*": {"kind": "ok", "hold": True}})
        with concurrent.futures.ThreadPoolExecutor(48) as clients:
            answers = [clients.submit(self.send, "crowd") for _ in range(48)]
            try:
                wait_for(lambda: fake.open() == 48, "all requests at the provider")
            finally:
                fake.release()
            for answer in answers:
                answer.result()
        for uses in self.uses(fake).values():
            self.assertLessEqual(uses, 20)  # 1.25 times the fair share
        self.assertEqual(len(fake.requests()), 48)
        self.assertGreater(self.results()["over_share"], 0)


if __name__ == "__main__":
    unittest.main()
