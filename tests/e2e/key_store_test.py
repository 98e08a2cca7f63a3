"""Keys that are added to and removed from a broker at work."""
import json
import subprocess
import unittest

from harness import BIN, PATIENCE, StackTest, wait_for

OK = {"kind": "ok"}
DEAD = {"kind": "status", "status": 401}
A1, A2, NEW, BAD = "canary-key-a1", "canary-key-a2", "canary-key-n1", "canary-key-n2"


class KeyStoreTest(StackTest):
    def start_two(self):
        fake = self.fake({A1: OK, A2: OK, NEW: OK, BAD: DEAD})
        self.start([self.provider(fake, [{"key": A1, "name": "work"}, {"key": A2, "name": "team"}], session_affinity=False)])
        return fake

    def ccr_with(self, stdin, *args, check=True):
        result = subprocess.run([BIN / "ccr", "--config", self.config_path, "--broker", self.broker.fields["grpc"], *args],
                                input=stdin, capture_output=True, text=True, timeout=PATIENCE)
        self.seen += [result.stdout, result.stderr]
        if check:
            self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        return result

    def served_by(self, name):
        return wait_for(lambda: self.chat().headers.get("x-ccr-key") == name, f"an answer by {name}")

    def test_add_serves_and_outlives_a_kill(self):
        self.start_two()
        said = self.ccr_with(NEW + "\n", "key", "add", "fake", "--name", "new", "--rpm", "600").stdout
        self.assertIn("fake's key 'new' is added", said)
        self.assertIn("Taking it back: ccr key remove fake new", said)
        self.served_by("new")
        address = self.broker.fields["grpc"]
        self.broker.kill()
        self.start_broker(listen=address)
        self.assertEqual(self.keys()["new"]["rpm"], 600)
        wait_for(lambda: self.chat().status == 200, "the proxy's way back to the broker")
        self.served_by("new")

    def test_what_is_known_is_not_added_again(self):
        self.start_two()
        again = self.ccr_with(A1, "key", "add", "fake", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("fake has this key already, as 'work'", again.stderr)
        named = self.ccr_with(NEW, "key", "add", "fake", "--name", "team", check=False)
        self.assertEqual(named.returncode, 2)
        self.assertIn("there is a key 'team' already", named.stderr)
        self.assertEqual(set(self.keys()), {"work", "team"})

    def test_a_key_on_the_command_line_is_refused(self):
        self.start_two()
        result = self.ccr("key", "add", "fake", "sk-not-a-key-of-anybody", check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("Revoke it", result.stderr)
        self.assertNotIn("sk-not", result.stderr + result.stdout + self.broker.text())

    def test_remove(self):
        fake = self.start_two()
        self.assertIn("1 key left", self.ccr("key", "remove", "fake", "team").stdout)
        self.settle()
        fake.forget()
        for _ in range(6):
            self.assertEqual(self.chat().headers["x-ccr-key"], "work")
        self.assertEqual(fake.requests(A2), [])
        last = self.ccr("key", "remove", "fake", "work", check=False)
        self.assertEqual(last.returncode, 1)
        self.assertIn("last key", last.stderr)
        diff = json.loads(self.ccr("--json", "config", "diff").stdout)["differences"]
        self.assertEqual([(d["key"], d["field"], d["broker"]) for d in diff], [("team", "present", "no")])
        self.ccr_with(A2, "key", "add", "fake", "--name", "team")
        self.served_by("team")

    def test_import_in_both_forms_and_what_it_leaves_out(self):
        self.start_two()
        dry = self.ccr_with(f"{NEW}\n{A1}\n", "key", "import", "fake", "-", "--dry-run")
        self.assertIn("1 key would be added, 1 known already; nothing was changed", dry.stdout)
        self.assertEqual(set(self.keys()), {"work", "team"})
        keys = [NEW, {"key": BAD, "name": "bad", "rpm": 60}, NEW]
        told = self.ccr_with(json.dumps(keys), "--json", "key", "import", "fake", "-", "--validate", check=False)
        self.assertEqual(told.returncode, 1, told.stderr)
        told = json.loads(told.stdout)
        self.assertEqual((told["added"], told["known"], told["repeated"], told["refused"]), (2, 0, 1, 1))
        self.assertEqual([key["test"]["outcome"] for key in told["keys"]], ["success", "auth"])
        self.assertEqual(self.keys()["bad"]["rpm"], 60)

    def test_import_of_ten_thousand(self):
        self.start_two()
        keys = "".join(f"canary-key-many-{i}\n" for i in range(10_000))
        said = self.ccr_with(keys, "key", "import", "fake", "-").stdout
        self.assertIn("10000 keys added; 10002 keys now", said)
        self.assertEqual(self.pool()["total_keys"], 10_002)

    def test_import_of_a_wrong_file_changes_nothing(self):
        self.start_two()
        wrong = self.ccr_with(f"{NEW}\none two three\n", "key", "import", "fake", "-", check=False)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("standard input:2: has more than two words", wrong.stderr)
        self.assertEqual(set(self.keys()), {"work", "team"})


if __name__ == "__main__":
    unittest.main()
