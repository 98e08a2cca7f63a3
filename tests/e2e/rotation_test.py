"""Every key gets its share, one client or many."""
import collections
import json
import time
import unittest

from harness import StackTest, http_request, in_parallel

OK = {"kind": "ok"}
KEYS = ["canary-key-a1", "canary-key-a2", "canary-key-a3"]


class RotationTest(StackTest):
    def uses(self, fake):
        return collections.Counter(r["key"] for r in fake.requests())

    def start_three(self, keys=None, **more):
        fake = self.fake({key: OK for key in KEYS})
        self.start([self.provider(fake, keys or KEYS, **more)])
        return fake

    def send(self, count, clients):
        answers = in_parallel(count, clients, lambda i: self.chat(stream=i % 2 == 0))
        self.assertEqual({a.status for a in answers}, {200})

    def test_round_robin_is_exact_with_one_client(self):
        fake = self.start_three()
        self.send(300, 1)
        self.assertEqual(self.uses(fake), {key: 100 for key in KEYS})

    def test_round_robin_is_exact_with_64_clients(self):
        fake = self.start_three()
        self.send(300, 64)
        self.assertEqual(self.uses(fake), {key: 100 for key in KEYS})
        self.settle()
        self.assertEqual([k["uses"] for k in self.pool()["keys"]], [100, 100, 100])
        self.assertEqual([k["in_flight"] for k in self.pool()["keys"]], [0, 0, 0])

    def test_what_answers_tell_of_limits_paces_and_is_shown(self):
        told = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "20", "x-ratelimit-reset-requests": "40s"}
        answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": "hi"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
        fake = self.fake({KEYS[0]: {"kind": "raw", "status": 200, "headers": told, "text": answer}})
        self.start([self.provider(fake, [{"name": "a", "key": KEYS[0]}])])
        self.assertIsNone(self.keys()["a"]["pace"])
        self.assertEqual(self.chat().status, 200)
        self.settle()
        pace = self.keys()["a"]["pace"]
        self.assertAlmostEqual(pace["rpm"], 60, delta=5)
        self.assertEqual(pace["burst"], 60)
        self.assertGreater(pace["room"], 15)
        self.assertIn("/min, room", self.ccr("rotation", "--wide").stdout)
        self.assertAlmostEqual(self.metric(self.broker, "ccr_key_learned_requests_per_second", pool="fake", key="a"), 1, delta=0.1)
        # Nothing left, and full again in a minute: the next ones wait for about a second each.
        fake.tell({KEYS[0]: {"kind": "raw", "status": 200, "headers": {**told, "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "60s"}, "text": answer}})
        self.assertEqual(self.chat().status, 200)
        self.settle()
        self.assertLess(self.keys()["a"]["pace"]["room"], 1)
        self.assertEqual(self.chat().status, 200)
        times = [request["time"] for request in fake.requests()]
        self.assertGreater(times[-1] - times[-2], 0.5)

    def test_weighted_is_exact_over_a_cycle(self):
        for clients in (1, 64):
            with self.subTest(clients=clients):
                if hasattr(self, "proxy"):
                    self.proxy.terminate()
                    self.broker.terminate()
                weighted = [{"key": key, "weight": weight} for weight, key in enumerate(KEYS, 1)]
                fake = self.start_three(weighted, rotation_strategy="weighted")
                self.send(300, clients)
                uses = self.uses(fake)
                for weight, key in enumerate(KEYS, 1):
                    self.assertAlmostEqual(uses[key], 50 * weight, delta=1)

    def test_every_strategy_serves(self):
        fake = self.fake({key: OK for key in KEYS})
        names = ["round_robin", "random", "weighted", "least_used", "least_in_flight", "lowest_latency", "fill_first"]
        self.start([self.provider(fake, KEYS, name=name, rotation_strategy=name) for name in names])
        for name in names:
            for _ in range(12):
                self.assertEqual(self.chat(model=f"{name},fake-model").status, 200, name)
            self.assertEqual(self.pool(name)["strategy"], name)
            self.assertEqual(sum(k["uses"] for k in self.pool(name)["keys"]), 12)
        self.assertEqual([k["uses"] for k in self.pool("fill_first")["keys"]], [12, 0, 0])
        self.assertEqual([k["uses"] for k in self.pool("least_used")["keys"]], [4, 4, 4])

    def test_limits_hold_over_two_proxies(self):
        fake = self.fake({key: {"kind": "ok", "delay": 0.01} for key in KEYS})
        limited = [{"key": key, "rpm": 10, "max_concurrent": 2} for key in KEYS]
        self.start([self.provider(fake, limited)])
        first = self.proxy
        self.start_proxy()
        body = '{"model":"fake,fake-model"}'
        began = time.monotonic()
        answers = in_parallel(80, 16, lambda i: http_request((first if i % 2 else self.proxy).fields["http"], "POST",
                                                             "/v1/chat/completions", body))
        minutes = 1 + int((time.monotonic() - began) / 60)  # that have begun
        served = [a for a in answers if a.status == 200]
        self.assertLessEqual(len(served), 30 * minutes)
        self.assertGreaterEqual(len(served), 6)
        for key, uses in self.uses(fake).items():
            self.assertLessEqual(uses, 10 * minutes, key)
        for answer in answers:
            self.assertIn(answer.status, (200, 429))
            if answer.status == 429:
                self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)


if __name__ == "__main__":
    unittest.main()
