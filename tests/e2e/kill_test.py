"""kill -9 of the broker at any moment: what it acknowledged is there again.

CCR_KILLS says how often (20); CCR_KILL_SEED where to begin (1). By hand, at length:
  CCR_KILLS=1000 tests/e2e/run.sh build/release/bin kill_test
"""
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import unittest

import grpc

from harness import PATIENCE, REPO, StackTest

KILLS = int(os.environ.get("CCR_KILLS", "20"))
SEED = int(os.environ.get("CCR_KILL_SEED", "1"))
KEYS = 400
CLIENTS = 3
HOUR = 3600
MOST_REPORTS = 40  # before a kill


class KillTest(StackTest):
    def setUp(self):
        super().setUp()
        stubs = self.folder / "stubs"
        subprocess.run(["bash", REPO / "client/python/generate.sh", stubs], check=True)
        sys.path.insert(0, str(stubs))
        self.addCleanup(sys.path.remove, str(stubs))
        from ccr.broker.v1 import key_admin_pb2, key_admin_pb2_grpc, key_broker_pb2, key_broker_pb2_grpc, types_pb2
        self.messages, self.admin_messages, self.types = key_broker_pb2, key_admin_pb2, types_pb2
        self.stub, self.admin_stub = key_broker_pb2_grpc.KeyBrokerStub, key_admin_pb2_grpc.KeyAdminStub
        keys = [f"canary-key-{number}" for number in range(KEYS)]
        self.configure([{"name": "p", "api_base_url": "http://127.0.0.1:9/v1/chat/completions", "models": ["m"], "api_keys": keys,
                         "probe": False}], LOG_LEVEL="error")

    def forget(self):
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        self.acknowledged = {}  # fingerprint -> (what was reported, until when the key cools at least)

    def report(self, channel, dice):
        """One lease and its report, which is noted once the broker has acknowledged it. False when no key is left."""
        broker = self.stub(channel)
        try:
            lease = broker.Lease(self.messages.LeaseRequest(pool="p"), timeout=PATIENCE)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.FAILED_PRECONDITION):
                self.worn_out = True
            return False
        status = dice.choice([200, 401, 402, 402, 429, 429])
        evidence = self.types.Evidence(http_status=status)
        if status == 429:
            evidence.retry_after_ms = HOUR * 1000
        began = time.time()
        try:
            broker.Report(self.messages.ReportRequest(lease_id=lease.lease_id, evidence=evidence), timeout=PATIENCE)
        except grpc.RpcError:
            return False
        if status != 200:
            with self.lock:
                self.acknowledged[lease.key_fingerprint] = (status, began + HOUR - 1)
                if len(self.acknowledged) >= self.enough and self.broker.popen.poll() is None:
                    self.broker.popen.kill()
        return True

    def client(self, seed):
        dice = random.Random(seed)
        with grpc.insecure_channel(self.broker.fields["grpc"]) as channel:
            while self.report(channel, dice):
                pass

    def check(self):
        with grpc.insecure_channel(self.broker.fields["grpc"]) as channel:
            answer = self.admin_stub(channel).ListPools(self.admin_messages.ListPoolsRequest(pool="p"), timeout=PATIENCE)
        keys = {key.fingerprint: key for key in answer.pools[0].keys}
        for fingerprint, (status, until) in self.acknowledged.items():
            key = keys[fingerprint]
            self.assertGreaterEqual(key.failures, 1, f"an acknowledged {status} was lost")
            if status == 401:
                continue
            # Another client's 401, whose answer was cut off, may have disabled the key since.
            self.assertNotEqual(key.state, self.types.KEY_STATE_ACTIVE, f"the cooldown of a {status} was lost")
            if key.state == self.types.KEY_STATE_COOLING:
                self.assertGreaterEqual(key.available_at.seconds, until - 1)

    def test_what_was_acknowledged_survives(self):
        self.forget()
        self.lock, self.worn_out, checked = threading.Lock(), False, 0
        self.start_broker()
        for kill in range(KILLS):
            dice = random.Random(SEED * 1_000_003 + kill)
            self.enough = len(self.acknowledged) + dice.randint(1, MOST_REPORTS)
            clients = [threading.Thread(target=self.client, args=(dice.random(),)) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            self.broker.kill()
            self.processes.remove(self.broker)
            self.start_broker()
            with self.subTest(seed=SEED, kill=kill):
                self.check()
            checked += len(self.acknowledged)
            if self.worn_out:
                self.broker.kill()
                self.processes.remove(self.broker)
                self.forget()
                self.worn_out = False
                self.start_broker()
        print(f"{KILLS} kills from seed {SEED}; {checked} times an acknowledged report was looked for", file=sys.stderr)
        self.assertGreater(checked, KILLS)


if __name__ == "__main__":
    unittest.main()
