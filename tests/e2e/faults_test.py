"""Whatever single keys do, clients see good answers as long as one key is good."""
import datetime
import http.client
import json
import re
import time
import unittest

from harness import PATIENCE, StackTest, in_parallel, wait_for

OK = {"kind": "ok"}


def status(code, **more):
    return {"kind": "status", "status": code, **more}


class FaultsTest(StackTest):
    BAD = {
        "canary-key-auth": status(401),
        "canary-key-rate": status(429, headers={"Retry-After": "3"}),
        "canary-key-500": status(500),
        "canary-key-quota": status(429, error={"type": "insufficient_quota", "code": "insufficient_quota", "message": "no money"}),
        "canary-key-drop": {"kind": "drop"},
        "canary-key-cut": {"kind": "cut", "after_chunks": 0},
        "canary-key-hang": {"kind": "hang"},
    }

    def names(self, *keys):
        return [{"key": key, "name": key.removeprefix("canary-key-")} for key in keys]

    def test_a_thousand_mixed_requests_see_no_error(self):
        fake = self.fake({**self.BAD, "canary-key-good": OK})
        # Four keys fail the provider's way, so a first request needs four retries.
        self.start([self.provider(fake, self.names(*self.BAD, "canary-key-good"), timeouts={"first_byte": 8000}, cooldownTime=3_600_000, max_retries=4)])

        self.assertEqual(self.chat().status, 200)
        answers = in_parallel(999, 16, lambda i: self.chat(stream=i % 2 == 0))
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
            self.assertNotIn(b'"error"', answer.body)
            self.assertTrue(answer.body.rstrip().endswith((b"[DONE]", b"}")), answer)
        # Its probe may come before the first request is over.
        self.assertEqual([r["method"] for r in fake.requests("canary-key-auth")].count("POST"), 1)
        for name in ("quota", "500", "cut", "hang"):
            self.assertEqual(len(fake.requests(f"canary-key-{name}")), 1, name)

        self.settle()
        keys = self.keys()
        self.assertEqual((keys["auth"]["state"], keys["auth"]["reason"]), ("disabled", "auth"))
        self.assertEqual(keys["quota"]["state"], "cooling")
        for name in ("500", "drop", "cut", "hang"):
            self.assertEqual((keys[name]["state"], keys[name]["failures"]), ("cooling", 1), name)
        self.assertEqual(keys["good"]["state"], "active")

    def test_retry_after_is_the_truth(self):
        fake = self.fake({"canary-key-rate": self.BAD["canary-key-rate"], "canary-key-good": OK})
        self.start([self.provider(fake, self.names("canary-key-rate", "canary-key-good"))])
        self.assertEqual(self.chat().status, 200)
        limited_at = fake.requests("canary-key-rate")[0]["time"]
        fake.tell({"canary-key-rate": OK})
        returned = wait_for(lambda: self.chat().status == 200 and fake.requests("canary-key-rate")[1:], "the key's return")
        waited = returned[0]["time"] - limited_at
        self.assertGreaterEqual(waited, 2.99)

    def test_the_callers_fault_changes_no_key(self):
        codes = (400, 404, 409, 413, 415, 422)
        keys = {code: [f"canary-key-{code}-{letter}" for letter in "abc"] for code in codes}
        fake = self.fake({key: OK for code in codes for key in keys[code]})
        self.start([self.provider(fake, self.names(*keys[code]), name=f"p{code}") for code in codes])
        for code in codes:
            for _ in range(3):  # keys that are known to be good
                self.assertEqual(self.chat(model=f"p{code},fake-model").status, 200)
        self.settle()
        fake.tell({key: status(code) for code in codes for key in keys[code]})
        for code in codes:
            with self.subTest(code):
                fake.forget()
                answer = self.chat(model=f"p{code},fake-model")
                self.assertEqual(answer.status, code)
                self.assertEqual(answer.json()["error"]["message"], f"scripted {code}")
                # Of these two another key may know better.
                self.assertLessEqual(len(fake.requests()), 2 if code in (400, 404) else 1)
                self.settle()
                for key in self.keys(f"p{code}").values():
                    self.assertEqual((key["state"], key["failures"]), ("active", 0))

    def test_an_outage_burns_no_key(self):
        keys = [f"canary-key-{i}" for i in range(3)]
        fake = self.fake({key: status(500) for key in keys})
        self.start([self.provider(fake, self.names(*keys), max_retries=2, queue={"max_wait": 0})])
        answers = in_parallel(60, 8, lambda i: self.chat())
        self.assertFalse([a for a in answers if a.status < 429], answers)
        self.assertEqual([k["state"] for k in self.keys().values() if k["state"] == "disabled"], [])
        fake.tell({"*": OK})
        wait_for(lambda: self.chat().status == 200, "the provider's return")
        wait_for(lambda: {k["state"] for k in self.keys().values()} == {"active"}, "all keys usable")
        for _ in range(30):
            self.assertEqual(self.chat().status, 200)

    def test_keys_that_are_always_overloaded_cost_no_request(self):
        for strategy in ("round_robin", "fill_first"):
            with self.subTest(strategy):
                keys = [f"canary-key-{strategy}-{i}" for i in range(3)]
                fake = self.fake({keys[0]: status(503), keys[1]: status(529), keys[2]: OK}, name=strategy)
                self.start([self.provider(fake, keys, rotation_strategy=strategy)])
                answers = in_parallel(60, 4, lambda i: self.chat(stream=i % 2 == 0))
                self.assertEqual({answer.status for answer in answers}, {200})
                self.settle()
                self.assertEqual(self.pool()["circuit"]["state"], "closed")
                self.assertEqual([key["state"] for key in self.keys().values()], ["cooling", "cooling", "active"])
                self.proxy.terminate()
                self.broker.terminate()

    def test_what_every_key_refuses_goes_to_the_fallback(self):
        keys = [f"canary-key-{i}" for i in range(3)]
        odd = status(400, error={"type": "odd", "code": "odd", "message": "odd"})
        fake = self.fake({**{key: OK for key in keys}, "canary-key-other": OK})
        self.start([self.provider(fake, keys, queue={"max_wait": 0}), self.provider(fake, ["canary-key-other"], name="other")],
                   fallback={"default": ["other,fake-model"]})
        for _ in keys:
            self.assertEqual(self.chat().status, 200)
        self.settle()
        fake.tell({key: odd for key in keys})
        for _ in range(4):
            answer = self.chat()
            self.assertEqual((answer.status, answer.headers["x-ccr-provider"]), (200, "other"))

    def test_a_403_of_every_key_is_the_requests_fault(self):
        keys = [f"canary-key-{i}" for i in range(8)]
        fake = self.fake({key: status(403) | {"error": {"type": "forbidden", "message": "region"}} for key in keys})
        self.start([self.provider(fake, self.names(*keys))])
        answer = self.chat()
        self.assertEqual(answer.status, 403)
        self.assertEqual(len(fake.requests()), 5)
        self.assertEqual({key["state"] for key in self.keys().values()}, {"active"})

    def test_all_keys_rate_limited_is_an_honest_429(self):
        keys = {f"canary-key-{i}": status(429, headers={"retry-after": str(600 + i)}) for i in range(2)}
        fake = self.fake(keys)
        self.start([self.provider(fake, self.names(*keys))])
        began = time.monotonic()
        first, second = self.chat(), self.chat()
        self.assertEqual((first.status, second.status), (429, 429))
        retry_after = int(second.headers["retry-after"])
        self.assertTrue(599 - (time.monotonic() - began) <= retry_after <= 600, retry_after)
        for number, key in enumerate(self.pool()["keys"]):
            failed, back = (datetime.datetime.fromisoformat(key[moment]) for moment in ("last_failure", "available_at"))
            self.assertEqual((back - failed).total_seconds(), 600 + number)
        self.assertEqual(len(fake.requests()), 2)

    def test_waits_when_the_pool_queues(self):
        fake = self.fake({"canary-key-0": {"kind": "script", "steps": [status(429, headers={"retry-after": "1"}), OK]}})
        self.start([self.provider(fake, self.names("canary-key-0"), queue={"max_wait": 1000 * PATIENCE})])
        started = time.monotonic()
        answer = self.chat()
        self.assertEqual(answer.status, 200, answer)
        self.assertGreaterEqual(time.monotonic() - started, 0.99)
        self.assertGreaterEqual(int(answer.headers["x-ccr-wait-ms"]), 500)
        line = wait_for(lambda: [line for line in self.proxy.text().splitlines() if " request id=" in line and "completions" in line],
                        "the access log line")[-1]
        self.assertGreaterEqual(float(re.search(r"lease_wait_ms=([\d.]+)", line)[1]), 500)

    def test_who_waits_for_a_key_leaves_the_queue_with_its_client(self):
        fake = self.fake({"canary-key-0": {"kind": "ok", "hold": True}})
        limited = [{**key, "max_concurrent": 1} for key in self.names("canary-key-0")]
        self.start([self.provider(fake, limited, queue={"max_wait": 1000 * PATIENCE})])
        host, port = self.address.rsplit(":", 1)
        body = json.dumps({"model": "fake,fake-model", "messages": []})
        connections = [http.client.HTTPConnection(host, int(port), timeout=PATIENCE) for _ in range(3)]
        for number, connection in enumerate(connections):
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            wait_for(lambda: self.in_flight() == 1 and self.pool()["waiting"] == number, "it in the queue")
        connections[1].close()
        wait_for(lambda: self.pool()["waiting"] == 1, "its place to be free")
        fake.release()
        for connection in (connections[0], connections[2]):
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, 200)
            connection.close()
        self.assertEqual(len(fake.requests()), 2)

    def test_nothing_is_replayed_after_the_first_byte(self):
        fake = self.fake({"canary-key-0": {"kind": "cut", "after_chunks": 2}, "canary-key-1": OK})
        self.start([self.provider(fake, self.names("canary-key-0", "canary-key-1"))])
        answer = self.chat(stream=True)
        self.assertEqual(answer.status, 200)
        self.assertIn(b"word0", answer.body)
        last = answer.body.strip().split(b"\n\n")[-1]
        self.assertIn("error", json.loads(last.removeprefix(b"event: error\n").removeprefix(b"data: ")))
        self.assertEqual(len(fake.requests()), 1)
        self.settle()
        self.assertEqual(self.keys()["0"]["failures"], 1)

    def test_client_gone_cancels_the_upstream(self):
        fake = self.fake({"canary-key-0": {"kind": "stall", "after_chunks": 1}})
        self.start([self.provider(fake, self.names("canary-key-0"))])
        host, port = self.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        connection.request("POST", "/v1/chat/completions", '{"model":"fake,fake-model","stream":true}')
        with connection.getresponse() as response:
            self.assertTrue(response.read1())
        self.assertFalse(fake.requests()[0]["client_gone"])
        connection.close()
        wait_for(lambda: fake.requests()[0]["client_gone"], "the upstream's end")
        self.settle()
        self.assertEqual((self.keys()["0"]["state"], self.keys()["0"]["failures"]), ("active", 0))


if __name__ == "__main__":
    unittest.main()
