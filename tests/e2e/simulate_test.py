"""ccr simulate: what was recorded, the same under the rules of now, and under others, side by side."""
import json
import unittest

from harness import CANARY, StackTest

OK = {"kind": "ok"}
LIMITED = {"kind": "status", "status": 429, "headers": {"retry-after": "1"}}
KEYS = [f"{CANARY}sim1", f"{CANARY}sim2"]


class SimulateTest(StackTest):
    def simulate(self, *args):
        pools = json.loads(self.ccr("--json", "simulate", *args).stdout)["pools"]
        return {pool["provider"]: pool for pool in pools}

    def attempts(self, run):
        return {key["name"]: key["attempts"] for key in run["keys"]}

    def serve(self, count):
        for _ in range(count):
            self.assertEqual(self.chat().status, 200)
        self.settle()

    def other_config(self, providers):
        path = self.folder / "other.secret"  # it holds keys, as the first one does
        path.write_text(json.dumps({"Providers": providers}))
        return path

    def test_side_by_side(self):
        fake = self.fake({key: OK for key in KEYS})
        self.start([self.provider(fake, KEYS, session_affinity=False)])
        self.serve(20)
        pool = self.simulate("--strategy", "fill_first")["fake"]
        for name in ("recorded", "configured", "proposed"):
            run = pool[name]
            self.assertEqual((run["requests"], run["served"], run["attempts"], run["wasted"]), (20, 20, 20, 0), name)
        self.assertEqual(self.attempts(pool["recorded"]), {"key-1": 10, "key-2": 10})
        self.assertEqual(self.attempts(pool["configured"]), {"key-1": 10, "key-2": 10})
        self.assertEqual(self.attempts(pool["proposed"]), {"key-1": 20, "key-2": 0})
        self.assertEqual((pool["configured"]["strategy"], pool["proposed"]["strategy"]), ("round_robin", "fill_first"))

        table = self.ccr("simulate", "--strategy", "fill_first").stdout
        self.assertRegex(table, r"RECORDED +AS CONFIGURED +PROPOSED")
        self.assertRegex(table, r"key-1 +50.0% +50.0% +100.0%")
        self.assertIsNone(self.simulate()["fake"]["proposed"])

    def test_other_limits_of_a_file(self):
        fake = self.fake({key: OK for key in KEYS})
        self.start([self.provider(fake, KEYS, session_affinity=False), self.provider(fake, [f"{CANARY}sim3"], name="quiet")])
        self.serve(20)
        limited = [{"key": KEYS[0], "name": "key-1", "rpm": 3}, {"key": KEYS[1], "name": "key-2"}]
        path = self.other_config([self.provider(fake, limited, session_affinity=False)])
        proposed = self.simulate("--config", str(path))["fake"]["proposed"]
        self.assertEqual(proposed["served"], 20)
        self.assertEqual(self.attempts(proposed), {"key-1": 3, "key-2": 17})

    def test_refused_calls(self):
        fake = self.fake({KEYS[0]: {"kind": "script", "steps": [OK, OK, LIMITED, OK]}, KEYS[1]: OK})
        self.start([self.provider(fake, KEYS, session_affinity=False)])
        self.serve(12)
        recorded = self.simulate()["fake"]["recorded"]
        self.assertEqual((recorded["requests"], recorded["served"], recorded["attempts"], recorded["wasted"]), (12, 12, 13, 1))

    def test_what_is_wrong(self):
        fake = self.fake({key: OK for key in KEYS})
        self.start([self.provider(fake, KEYS)])
        nothing = self.ccr("simulate", check=False)
        self.assertEqual(nothing.returncode, 1)
        self.assertIn("nothing is recorded yet", nothing.stderr)
        self.serve(1)
        unknown = self.ccr("simulate", "--strategy", "fastest", check=False)
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("lowest_latency", unknown.stderr)
        provider = self.ccr("simulate", "fale", check=False)
        self.assertEqual(provider.returncode, 1)
        self.assertIn("did you mean fake?", provider.stderr)
        missing = self.ccr("simulate", "--config", str(self.folder / "none.json"), check=False)
        self.assertEqual(missing.returncode, 2)
        self.assertIn("none.json", missing.stderr)
        other = self.ccr("simulate", "--config", str(self.other_config([self.provider(fake, KEYS, name="else")])), check=False)
        self.assertEqual(other.returncode, 2)
        self.assertIn("no provider of the broker's", other.stderr)
        self.broker.terminate()
        gone = self.ccr("simulate", check=False)
        self.assertEqual(gone.returncode, 3)
        self.assertIn("no broker answers", gone.stderr)


if __name__ == "__main__":
    unittest.main()
