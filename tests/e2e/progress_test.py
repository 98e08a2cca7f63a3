"""Answers that last: what a good beginning shows, nobody has to wait for the end to know."""
import contextlib
import http.client
import json
import time
import unittest

from harness import PATIENCE, StackTest, in_parallel, wait_for

KEYS = ["canary-key-a1", "canary-key-a2"]
OK, HELD, BUSY = {"kind": "ok"}, {"kind": "ok", "hold": True}, {"kind": "status", "status": 529}


class ProgressTest(StackTest):
    @contextlib.contextmanager
    def stream(self, headers=None):
        """A stream whose first bytes have come, and which goes on until the fake releases it."""
        connection = http.client.HTTPConnection(*self.address.split(":"), timeout=PATIENCE)
        body = json.dumps({"model": "fake,fake-model", "stream": True, "messages": [{"role": "user", "content": "hi"}]})

        def begun():
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            if response.status == 200:
                return response
            response.read()
            return None
        try:
            response = wait_for(begun, "a stream")
            self.assertTrue(response.read1())
            yield response
        finally:
            connection.close()

    def test_from_the_first_byte_of_the_trial_on_everybody_is_served(self):
        fake = self.fake({key: BUSY for key in KEYS})
        self.start([self.provider(fake, KEYS, queue={"max_wait": 0}, probe=False)])
        wait_for(lambda: self.chat().status == 429, "an open circuit")
        self.assertEqual(len(fake.requests()), 3)
        fake.tell({"*": HELD})
        with self.stream() as response:
            fake.tell({"*": OK})
            wait_for(lambda: self.pool()["circuit"]["state"] == "closed", "a closed circuit")
            self.assertEqual({answer.status for answer in in_parallel(40, 8, lambda _: self.chat())}, {200})
            self.assertEqual(fake.open(), 1, "the stream still goes on")
            fake.release()
            self.assertIn(b"[DONE]", response.read())
        self.settle()
        self.assertEqual(sum(key["successes"] for key in self.keys().values()), 41)

    def test_the_trial_of_a_key_succeeds_with_its_first_byte(self):
        fake = self.fake({KEYS[0]: {"kind": "status", "status": 500}, KEYS[1]: OK})
        self.start([self.provider(fake, [{"key": key, "name": key[-2:]} for key in KEYS], maxFailures=1, cooldownTime=100, strategy="fill_first")])
        self.assertEqual(self.chat().status, 200)
        self.assertEqual(self.keys()["a1"]["state"], "disabled")
        fake.tell({KEYS[0]: HELD})
        wait_for(lambda: self.pool()["available_keys"] == 2, "the trial's time")
        with self.stream():
            wait_for(lambda: self.keys()["a1"]["state"] == "active", "an active key")
            self.assertEqual(fake.open(), 1)
            fake.release()

    def test_a_lease_that_outlasts_its_ttl_is_renewed(self):
        fake = self.fake({key: HELD for key in KEYS})
        self.start([self.provider(fake, KEYS)], Broker={"lease_ttl": 1000})
        with self.stream() as response:
            end = time.monotonic() + 3
            wait_for(lambda: time.monotonic() > end, "three times the ttl")
            self.assertEqual(self.in_flight(), 1)
            fake.release()
            response.read()
        self.settle()
        self.assertEqual(self.metric(self.broker, "ccr_leases_expired_total"), 0)
        self.assertEqual(sum(key["successes"] for key in self.keys().values()), 1)

    def test_a_stream_of_a_new_session_makes_its_key_known(self):
        fake = self.fake({key: HELD for key in KEYS})
        self.start([self.provider(fake, KEYS)])
        with self.stream({"x-claude-code-session-id": "ann"}):
            first = fake.requests()[0]["key"]
            fake.tell({"*": OK})
            for _ in range(3):
                self.assertEqual(self.chat(headers={"x-claude-code-session-id": "ann"}).status, 200)
                wait_for(lambda: self.in_flight() == 1, "the report")
            self.assertEqual([request["key"] for request in fake.requests()], [first] * 4)
            fake.release()


if __name__ == "__main__":
    unittest.main()
