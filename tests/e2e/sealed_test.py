"""Keys that stand sealed in the configuration: they serve, and only the master key shows them."""
import subprocess
import unittest

from harness import BIN, PATIENCE, StackTest, wait_for

OK = {"kind": "ok"}
KEYS = ["canary-key-1", "canary-key-2"]


class SealedTest(StackTest):
    def seal(self, text, *args, provider="fake", status=0):
        result = subprocess.run([BIN / "ccr", "--config", self.config_path, "key", "seal", provider, *args], input=text, capture_output=True,
                                text=True, timeout=PATIENCE)
        self.seen += [result.stdout, result.stderr]
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout.strip() if status == 0 else result.stderr

    def write(self, *texts, **broker):
        entries = [{"sealed": text, "name": f"key-{place}"} for place, text in enumerate(texts, 1)]
        self.configure([self.provider(self.upstream, entries, rotation_strategy="round_robin")], Broker=broker)

    def setUp(self):
        super().setUp()
        self.upstream = self.fake({key: OK for key in KEYS})
        self.write()

    def serving(self):
        """Keys of the calls that were made since the last time."""
        self.upstream.forget()
        for _ in range(6):
            self.assertEqual(self.chat().status, 200)
        return {request["key"] for request in self.upstream.requests()}

    def tearDown(self):
        self.assertNotIn("canary", self.config_path.read_text())

    def test_they_serve_and_the_master_key_is_changed_meanwhile(self):
        texts = [self.seal(key + "\n") for key in KEYS]
        self.write(*texts)
        self.start_broker()
        self.start_proxy()
        self.assertEqual(self.serving(), set(KEYS))
        subprocess.run([BIN / "ccr", "key", "seal", "--new-master-key", self.folder / "new.key"], check=True, capture_output=True)
        both = [{"file": "new.key"}, {"file": "state/master.key"}]
        self.write(*texts, master_key=both)
        self.ccr("reload")
        self.assertIn("was sealed with an older master key", self.ccr("config", "check").stderr)
        renewed = [self.seal(text) for text in texts]
        self.write(*renewed, master_key=both[:1])
        self.ccr("reload")
        self.assertNotIn("warning", self.ccr("config", "check").stderr.replace("warning: other users", ""))
        self.assertEqual(self.serving(), set(KEYS))
        self.assertEqual({key["uses"] > 3 for key in self.keys().values()}, {True}, "keys keep their counts")

    def test_one_flipped_byte_costs_one_key(self):
        texts = [self.seal(key) for key in KEYS]
        place = len(texts[0]) - 20
        texts[0] = texts[0][:place] + ("A" if texts[0][place] != "A" else "B") + texts[0][place + 1:]
        self.write(*texts)
        self.start_broker()
        self.start_proxy()
        self.assertEqual(self.serving(), {KEYS[1]})
        wait_for(lambda: "Providers[0].api_keys[0]: is left out: sealed key fake/file is refused" in self.broker.text(), "the refusal by name")
        self.assertIn("api_keys[0]", self.ccr("config", "check").stderr)

    def test_the_state_folder_of_the_flag(self):
        text = self.seal(KEYS[0])
        (self.folder / "state").rename(self.folder / "elsewhere")
        self.write(text)
        self.start_broker("--state-dir", self.folder / "elsewhere")
        self.start_proxy()
        self.assertEqual(self.serving(), {KEYS[0]})

    def test_without_its_master_key_the_broker_says_what_is_missing(self):
        text = self.seal(KEYS[0])
        self.write(text, master_key={"credential": "ccr"})
        result = subprocess.run([BIN / "ccr-broker", "--config", self.config_path], capture_output=True, text=True, timeout=PATIENCE)
        self.seen += [result.stdout, result.stderr]
        self.assertEqual(result.returncode, 2)
        self.assertIn("Broker.master_key: the master key of {credential: ccr} is known only to a systemd service", result.stderr)


if __name__ == "__main__":
    unittest.main()
