"""What becomes of a key by what providers answer, row by row of answers.py, through the real proxy and broker."""
import datetime
import json
import time
import unittest

import answers
from harness import StackTest, wait_for

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "gemini": "/v1beta/models"}
SLACK = 30  # seconds by which a rest may be longer or shorter: clocks that round, a machine that is busy


def told(row):
    text = row.body if isinstance(row.body, str) else json.dumps(row.body)
    return {"kind": "raw", "status": row.status, "headers": row.headers, "text": text}


class AnswersTest(StackTest):
    """Each row has a provider of its own. Of its keys the first one gets the row's answer."""

    def start_rows(self, rows, everyone):
        behaviours, providers = {}, []
        for number, row in enumerate(rows):
            keys = [f"canary-key-{number}-{letter}" for letter in "ab"]
            behaviours.update({key: {"kind": "ok"} for key in keys})
            more = {"transformer": {"use": ["gemini"]}} if row.form == "gemini" else {}
            providers.append((keys, f"p{number}", PATHS[row.form], more))
        fake = self.fake_of_rows = self.fake(behaviours)
        self.start([self.provider(fake, keys, name=name, path=path, rotation_strategy="fill_first",
                                  models=["fake-model", "other-model"], queue={"max_wait": 0}, max_retries=1, **more) for keys, name, path, more in providers])
        # Keys that have served before are known to be good, and a later refusal says more.
        for number in range(len(rows)):
            self.assertEqual(self.chat(model=f"p{number},fake-model").status, 200)
        self.settle()
        fake.tell({f"canary-key-{number}-{letter}": told(row) for number, row in enumerate(rows)
                   for letter in ("ab" if everyone else "a")})

    def check_rest(self, row, key):
        wait = row.wait() if callable(row.wait) else row.wait
        if row.state is not None:
            self.assertEqual(key["state"], row.state, key)
        if wait is None or key["state"] != "cooling":
            return
        back = datetime.datetime.fromisoformat(key["available_at"].replace("Z", "+00:00")).timestamp()
        rest = back - self.began
        least = wait.seconds if isinstance(wait, answers.AT_LEAST) else wait
        self.assertGreater(rest, least - SLACK, key)
        if not isinstance(wait, answers.AT_LEAST):
            self.assertLess(rest, least + SLACK + (time.time() - self.began), key)

    def test_another_key_serves_and_the_first_rests_as_it_should(self):
        rows = answers.ROWS
        self.start_rows(rows, everyone=False)
        self.began = time.time()
        for number, row in enumerate(rows):
            with self.subTest(row.what):
                answer = self.chat(model=f"p{number},fake-model", stream=row.stream)
                certain = row.everyone is not None and row.everyone < 500 and row.state == "active"
                self.assertEqual(answer.status, row.everyone if certain else 200, answer)
                if not certain:
                    self.assertNotIn(b"their words", answer.body)
        self.settle()
        for number, row in enumerate(rows):
            with self.subTest(row.what):
                if row.of_model:
                    self.assertEqual(self.chat(model=f"p{number},fake-model").headers["x-ccr-key"], "key-2")
                    self.fake_of_rows.tell({f"canary-key-{number}-a": {"kind": "ok"}})
                    self.assertEqual(self.chat(model=f"p{number},other-model").headers["x-ccr-key"], "key-1")
                    self.assertEqual(self.chat(model=f"p{number},fake-model").headers["x-ccr-key"], "key-2")
        self.settle()
        pools = {pool["provider"]: pool for pool in wait_for(self.rotation, "ccr rotation")}
        for number, row in enumerate(rows):
            with self.subTest(row.what):
                self.check_rest(row, pools[f"p{number}"]["keys"][0])

    def test_what_every_key_says_is_the_answer(self):
        rows = [row for row in answers.ROWS if row.everyone is not None]
        self.start_rows(rows, everyone=True)
        for number, row in enumerate(rows):
            with self.subTest(row.what):
                answer = self.chat(model=f"p{number},fake-model", stream=row.stream)
                self.assertEqual(answer.status, row.everyone, answer)
                if row.status >= 400:
                    said = row.body["error"]["message"] if isinstance(row.body, dict) else row.body
                    self.assertIn(said.encode(), answer.body)


if __name__ == "__main__":
    unittest.main()
