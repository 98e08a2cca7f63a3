"""Keys that are kept outside of the configuration, and change there while the broker runs."""
import json
import os
import time
import unittest

from harness import PYTHON, REPO, Process, StackTest, http_request, wait_for

OLD, NEW = "canary-key-old", "canary-key-new"


class KeySourcesTest(StackTest):
    def setUp(self):
        super().setUp()
        self.provider_fake = self.fake({OLD: {"kind": "ok"}, NEW: {"kind": "ok"}})

    def comes_with(self, key):
        """Whether a request that is sent now comes with this key."""
        self.provider_fake.forget()
        self.assertEqual(self.chat().status, 200)
        return bool(self.provider_fake.requests(key))

    def takes_the_new_key(self, replace):
        """It does so without a reload; on an idle machine about a second later."""
        self.assertTrue(self.comes_with(OLD))
        began = time.monotonic()
        replace()
        wait_for(lambda: self.comes_with(NEW), "the new key")
        print(f"{self.id()}: the new key is used after {time.monotonic() - began:.2f} s")


class FilesTest(KeySourcesTest):
    def write(self, path, text):
        path.write_text(text)
        path.chmod(0o600)
        return path

    def test_a_file_that_is_replaced_by_rename(self):
        path = self.write(self.folder / "key.secret", OLD + "\n")
        self.start([self.provider(self.provider_fake, [{"file": str(path)}])])
        self.takes_the_new_key(lambda: os.replace(self.write(self.folder / "next.secret", NEW + "\n"), path))

    def test_links_as_kubernetes_has_them(self):
        for name, key in (("..1", OLD), ("..2", NEW)):
            (self.folder / name).mkdir()
            self.write(self.folder / name / "key.secret", key + "\n")
        (self.folder / "..data").symlink_to("..1")
        (self.folder / "link.secret").symlink_to("..data/key.secret")

        def swap():
            (self.folder / "..data_tmp").symlink_to("..2")
            os.replace(self.folder / "..data_tmp", self.folder / "..data")

        self.start([self.provider(self.provider_fake, [{"file": "link.secret"}])])
        self.takes_the_new_key(swap)

    def test_while_the_configuration_is_broken(self):
        path = self.write(self.folder / "key.secret", OLD)
        self.start([self.provider(self.provider_fake, [{"file": str(path)}])])
        self.config_path.write_text("{")
        wait_for(lambda: "refused" in self.ccr("status").stdout, "the refusal")
        self.takes_the_new_key(lambda: os.replace(self.write(self.folder / "next.secret", NEW), path))
        self.assertIn("refused", self.ccr("status").stdout)

    def test_the_token_of_clients(self):
        path = self.write(self.folder / "client.secret", "client-token-old\n")
        self.start([self.provider(self.provider_fake, [OLD])], APIKEY={"file": "client.secret"})

        def status(token):
            return self.chat(headers={"authorization": f"Bearer {token}"}).status

        self.assertEqual(status("client-token-old"), 200)
        os.replace(self.write(self.folder / "next.secret", "client-token-new\n"), path)
        wait_for(lambda: status("client-token-new") == 200, "the new token")
        self.assertEqual(status("client-token-old"), 401)

    def test_a_file_that_is_away_keeps_its_key_and_says_so(self):
        path = self.write(self.folder / "key.secret", OLD)
        self.start([self.provider(self.provider_fake, [{"file": str(path), "name": "team"}])])
        path.unlink()
        status = wait_for(lambda: "failing" in (text := self.ccr("status").stdout) and text, "the failure in the status")
        self.assertIn(f"failing   key file {path} does not exist", status)
        self.assertIn("the keys it gave last are used", status)
        self.assertIn("key_source_failed", self.broker.text())
        self.assertEqual(self.metric(self.broker, "ccr_key_sources_failing"), 1)
        self.assertTrue(self.comes_with(OLD))
        self.ccr("reload")
        self.assertTrue(self.comes_with(OLD))
        self.write(path, "# both\n" + OLD + "\n" + NEW + "\n")
        wait_for(lambda: set(self.keys()) == {"team-1", "team-2"}, "both keys")
        self.assertNotIn("failing", self.ccr("status").stdout)


class ProgramsTest(KeySourcesTest):
    def setUp(self):
        super().setUp()
        self.printed = self.folder / "printed.secret"
        self.printed.write_text(OLD + "\n")

    def from_program(self, script, **more):
        return {"exec": ["sh", "-c", script], "ttl": 1000, "name": "team", **more}

    def test_what_a_program_prints(self):
        self.start([self.provider(self.provider_fake, [self.from_program("cat printed.secret")])])
        self.takes_the_new_key(lambda: self.printed.write_text(NEW + "\n"))

    def test_a_program_that_fails_keeps_its_key_and_says_so(self):
        self.start([self.provider(self.provider_fake, [self.from_program("cat printed.secret || exit 7")])])
        self.printed.unlink()
        status = wait_for(lambda: "failing" in (text := self.ccr("status").stdout) and text, "the failure in the status")
        self.assertIn("failing   exec sh ended with status 7: cat: printed.secret: No such file or directory", status)
        self.assertTrue(self.comes_with(OLD))
        check = self.ccr("config", "check", check=False)
        self.assertEqual(check.returncode, 2, check.stdout)
        self.assertIn("api_keys[0]: exec sh ended with status 7: cat: printed.secret", check.stderr)
        self.printed.write_text(NEW)
        wait_for(lambda: self.comes_with(NEW), "the new key")
        self.assertIn("exec sh: read", self.ccr("config", "check").stdout)

    def test_a_program_under_way_ends_with_the_broker(self):
        script = "test -e slow || { touch slow; cat printed.secret; exit; }; echo $$ > pid.new; mv pid.new pid; exec sleep 1000"
        self.start([self.provider(self.provider_fake, [self.from_program(script)])])
        pid = int(wait_for(lambda: (self.folder / "pid").exists() and (self.folder / "pid").read_text(), "the program"))
        self.assertEqual(self.broker.terminate(), 0)
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_a_program_that_cannot_give_a_key_yet(self):
        self.printed.unlink()
        self.start([self.provider(self.provider_fake, [self.from_program("cat printed.secret")])])
        self.assertIn("it has given no key yet", self.ccr("status").stdout)
        self.assertIn(self.chat().status, (429, 503))
        self.printed.write_text(NEW)
        wait_for(lambda: self.chat().status == 200, "the first key")


class VaultTest(KeySourcesTest):
    def setUp(self):
        super().setUp()
        self.state = self.folder / "vault.secret"
        (self.folder / "id.secret").write_text("secret-id\n")
        self.vault = None
        self.addCleanup(lambda: self.vault.kill())

    def start_vault(self, key, listen="127.0.0.1:0", **more):
        self.state.write_text(json.dumps({"secrets": {"kv/data/openai": {"key": key}}, "approles": {"ccr": "secret-id"}, **more}))
        self.vault = Process([PYTHON, REPO / "tests/fakes/fake_vault.py", "--listen", listen, "--state", self.state],
                             self.folder / "vault.upstream", "fake-vault ready:")
        self.vault_address = self.vault.fields["http"]

    def tell(self, **more):
        http_request(self.vault_address, "PUT", "/_control", json.dumps(more))

    def asked(self):
        return http_request(self.vault_address, "GET", "/_control/requests").json()

    def use_vault(self):
        auth = {"approle": {"role_id": "ccr", "secret_id": {"file": "id.secret"}}}
        self.start([self.provider(self.provider_fake, [{"vault": "kv/data/openai#key", "name": "team"}])],
                   Broker={"vault": {"address": f"http://{self.vault_address}", "auth": auth, "refresh": 1000}})

    def failing(self):
        return "failing   vault kv/data/openai#key" in self.ccr("status").stdout

    def test_a_key_that_changes(self):
        self.start_vault(OLD)
        self.use_vault()
        self.takes_the_new_key(lambda: self.tell(secrets={"kv/data/openai": {"key": NEW}}))
        self.assertEqual(self.asked()[:2], ["POST v1/auth/approle/login", "GET v1/kv/data/openai"])
        self.assertIn("vault kv/data/openai#key: read", self.ccr("config", "check").stdout)

    def test_a_vault_that_is_down_for_a_while(self):
        self.start_vault(OLD)
        self.use_vault()
        self.vault.kill()
        wait_for(self.failing, "the failure in the status")
        for _ in range(20):
            self.assertTrue(self.comes_with(OLD))
        self.ccr("reload")
        self.assertTrue(self.comes_with(OLD))
        self.start_vault(NEW, listen=self.vault_address)  # its tokens are gone too
        wait_for(lambda: self.comes_with(NEW), "the new key")
        self.assertFalse(self.failing())

    def test_a_vault_that_is_sealed(self):
        self.start_vault(OLD)
        self.use_vault()
        self.tell(status=503)
        wait_for(self.failing, "the failure in the status")
        self.assertIn("answers 503: Vault is sealed", self.ccr("status").stdout)
        self.assertTrue(self.comes_with(OLD))

    def test_a_vault_that_is_away_at_the_start(self):
        self.start_vault(OLD)
        self.vault.kill()
        self.use_vault()
        self.assertTrue(self.failing())
        check = self.ccr("config", "check", check=False)
        self.assertEqual(check.returncode, 2)
        self.assertIn("api_keys[0]: vault kv/data/openai#key at http://", check.stderr)
        self.start_vault(NEW, listen=self.vault_address)
        wait_for(lambda: self.chat().status == 200, "the first key")


if __name__ == "__main__":
    unittest.main()
