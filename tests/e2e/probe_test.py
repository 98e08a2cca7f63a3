"""A key that its provider refused is asked for again, and comes back by itself."""
import unittest

from harness import StackTest, wait_for

OK = {"kind": "ok"}
DEAD = {"kind": "status", "status": 401}
A1, A2 = "canary-key-a1", "canary-key-a2"


class ProbeTest(StackTest):
    def start_with_a_dead_key(self, path="/v1/chat/completions", **more):
        fake = self.fake({A1: DEAD, A2: OK})
        self.start([self.provider(fake, [A1, A2], path=path, **more)])
        for _ in range(4):
            self.assertEqual(self.chat().status, 200)
        self.settle()
        self.assertEqual(self.keys()["key-1"]["state"], "disabled")
        return fake

    def probes(self, fake):
        return [r for r in fake.requests(A1) if r["method"] == "GET"]

    def probed(self, result):
        return self.metric(self.broker, "ccr_probes_total", pool="fake", result=result)

    def test_a_key_that_is_good_again_returns_without_a_restart(self):
        fake = self.start_with_a_dead_key(probe={"interval": 200})
        wait_for(lambda: self.probed("refused") >= 1, "a refused probe")
        self.assertEqual(self.keys()["key-1"]["state"], "disabled")
        uses = self.keys()["key-1"]["uses"]
        fake.tell({A1: OK})
        wait_for(lambda: self.keys()["key-1"]["state"] == "active", "the key", timeout=30)
        self.assertEqual(self.keys()["key-1"]["uses"], uses)
        for _ in range(4):
            self.assertEqual(self.chat().status, 200)
        self.assertGreater(self.keys()["key-1"]["uses"], uses)
        self.assertGreaterEqual(self.probed("recovered"), 1)  # the one that serves may be asked too, to compare
        self.assertIn("probe_succeeded", self.broker.text())
        self.assertEqual({r["target"] for r in self.probes(fake)}, {"/v1/models"})
        self.assertEqual({r["headers"]["authorization"][0] for r in self.probes(fake)}, {f"Bearer {A1}"})

    def test_anthropic_is_asked_in_its_own_way(self):
        fake = self.start_with_a_dead_key(path="/v1/messages", probe={"interval": 100})
        probe = wait_for(lambda: self.probes(fake), "a probe")[0]
        self.assertEqual(probe["target"], "/v1/models")
        self.assertEqual(probe["headers"]["x-api-key"], [A1])
        self.assertEqual(probe["headers"]["anthropic-version"], ["2023-06-01"])

    def test_a_provider_can_do_without(self):
        fake = self.start_with_a_dead_key(probe=False)
        self.assertIsNotNone(self.keys()["key-1"]["available_at"])  # a request will try it
        self.assertEqual(self.probes(fake), [])


if __name__ == "__main__":
    unittest.main()
