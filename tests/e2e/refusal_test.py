"""One caller, one path or one wrong line of the configuration cannot take a provider's keys away."""
import time
import unittest

from harness import StackTest, wait_for

OK = {"kind": "ok"}
DEAD = {"kind": "status", "status": 401}
NO_ADMIN = {"kind": "ok", "on": {"/x/admin": DEAD}}
NO_MODEL = {"kind": "ok", "on": {"/chat/completions": {"kind": "status", "status": 403}}}
KEYS = ["canary-key-a1", "canary-key-a2", "canary-key-a3"]


class RefusalTest(StackTest):
    def states(self):
        return {key["state"] for key in self.keys().values()}

    def assert_all_active(self):
        wait_for(lambda: self.states() == {"active"}, "keys that are all active")

    def test_a_path_that_no_key_may_use_costs_no_key(self):
        fake = self.fake({key: NO_ADMIN for key in KEYS})
        self.start([self.provider(fake, KEYS)])
        for _ in range(3):
            answer = self.get("/p/fake/x/admin")
            self.assertEqual(answer.status, 401, answer)
            self.assertNotIn("disabled", self.states())
            self.assertEqual(self.chat().status, 200)
        self.assert_all_active()
        self.assertNotIn("key_disabled", self.broker.text())

    def test_a_model_that_no_key_may_use_costs_no_key(self):
        fake = self.fake({key: NO_MODEL for key in KEYS})
        self.start([self.provider(fake, KEYS)])
        for _ in range(4):
            answer = self.chat()
            self.assertEqual(answer.status, 403, answer)
            self.assertEqual(self.states(), {"active"})
        self.assertEqual({key["failures"] for key in self.keys().values()}, {0})

    def test_a_key_that_another_one_stands_in_for_is_disabled(self):
        fake = self.fake({KEYS[0]: DEAD, KEYS[1]: OK, KEYS[2]: OK})
        self.start([self.provider(fake, KEYS)])
        for _ in range(6):
            self.assertEqual(self.chat().status, 200)
        self.settle()
        self.assertEqual(self.keys()["key-1"]["state"], "disabled")
        self.assertEqual(len(fake.requests(KEYS[0])), 1)

    def test_a_wrong_header_costs_no_key_and_its_correction_serves_at_once(self):
        keys = [f"canary-key-{n:03}" for n in range(300)]
        fake = self.fake({key: OK for key in keys})
        self.start([self.provider(fake, keys, auth={"header": "x-wrong", "prefix": ""})])
        for _ in range(10):
            fake.forget()
            answer = self.chat()
            self.assertNotEqual(answer.status, 200)
            self.assertLessEqual(len(fake.requests()), 5)
        self.assertEqual(self.pool()["circuit"]["state"], "open")
        self.assertNotIn("disabled", self.states())
        self.configure([self.provider(fake, keys)])
        mended = time.monotonic()
        wait_for(lambda: self.chat().status == 200, "an answer")
        print(f"served {time.monotonic() - mended:.2f} s after the file was mended")
        self.assertNotIn("disabled", self.states())


if __name__ == "__main__":
    unittest.main()
