"""What `cmake --install` puts where: programs, units, completion, a manual page of each program that tells all its flags."""
import gzip
import os
import re
import stat
import subprocess
import tempfile
import pathlib
import unittest

from harness import BIN, PATIENCE

PAGES = {"ccr": "man1/ccr.1.gz", "ccr-broker": "man8/ccr-broker.8.gz", "ccr-proxy": "man8/ccr-proxy.8.gz"}
UNITS = ["system/ccr-broker.service", "system/ccr-proxy@.service", "user/ccr.service"]
COMPLETIONS = {"bash-completion/completions/ccr": "complete -F _ccr ccr", "zsh/vendor-completions/_ccr": "#compdef ccr",
               "fish/vendor_completions.d/ccr.fish": "complete -c ccr"}


def run(*args, **more):
    return subprocess.run([str(arg) for arg in args], check=True, capture_output=True, text=True, timeout=PATIENCE, **more).stdout


def commands(text):
    """Those that a help lists: in groups, after its options and before its examples."""
    groups = re.split(r"\n(?=[A-Z][A-Za-z ]*:\n)", text)
    return [name for group in groups if not re.match(r"(Options|Arguments|Examples):", group)
            for name in re.findall(r"^  ([a-z]+)  ", group, re.M)]


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (BIN.parent / "cmake_install.cmake").exists():
            raise unittest.SkipTest(f"{BIN} is not in a build folder")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        os.chmod(cls.root, 0o755)
        old = os.umask(0o077)  # of a careful builder: what is installed is for all the same
        cls.addClassCleanup(os.umask, old)
        run("cmake", "--install", BIN.parent, "--prefix", "/usr", env={**os.environ, "DESTDIR": str(cls.root)})

    def text(self, path):
        file = self.root / path
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o644, path)
        return gzip.decompress(file.read_bytes()).decode() if path.endswith(".gz") else file.read_text()

    def page(self, program):
        return self.text(f"usr/share/man/{PAGES[program]}").replace("\\-", "-")

    def test_programs(self):
        for program in PAGES:
            installed = self.root / "usr/bin" / program
            self.assertEqual(run(installed, "--version"), run(BIN / program, "--version"))

    def test_a_page_tells_every_flag(self):
        helps = {program: run(BIN / program, "--help") for program in PAGES}
        for program, text in helps.items():
            page = self.page(program)
            flags = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.M))
            self.assertGreater(len(flags), 5, text)
            for flag in sorted(flags):
                self.assertRegex(page, rf"(?m)^\.TP\n.*{flag}(?![\w-])", program)
            for variable in re.findall(r"Env:(\w+)", text):
                self.assertIn(variable, page)
            self.assertIn(f"{program} - ", page)
            self.assertNotIn(os.path.expanduser("~/."), page)

    def test_the_page_of_ccr_tells_every_command(self):
        page = self.page("ccr")
        names = commands(run(BIN / "ccr", "--help"))
        self.assertIn("rotation", names)
        names += [f"config {name}" for name in commands(run(BIN / "ccr", "help", "config"))]
        self.assertIn("config check", names)
        for name in names:
            part = re.search(rf'(?m)^\.SS "ccr {name}"\n((?:(?!\.S[SH] ).*\n)*)', page)
            self.assertIsNotNone(part, name)
            for flag in re.findall(r"^  (?:-\w,)?(--[a-z-]+)", run(BIN / "ccr", "help", *name.split()), re.M):
                self.assertRegex(part[1], rf"(?m)^\.TP\n.*{flag}(?![\w-])", name)

    def test_completion(self):
        for path, words in COMPLETIONS.items():
            self.assertIn(words, self.text(f"usr/share/{path}"))

    def test_units(self):
        for unit in UNITS:
            text = self.text(f"usr/lib/systemd/{unit}")
            self.assertNotRegex(text, r"@\w+@")
            self.assertRegex(text, r"(?m)^ExecStart=/usr/bin/ccr")
            readme = re.search(r"^Documentation=.*file:(\S+)", text, re.M)[1]
            self.assertTrue((self.root / readme.lstrip("/")).exists(), readme)

    def test_the_manifest_names_all_of_it(self):
        files = {"/" + str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}
        self.assertEqual(set((BIN.parent / "install_manifest.txt").read_text().splitlines()), files)

    def test_documents_lead_to_one_another(self):
        docs = self.root / "usr/share/doc/ccr"
        for room in (".", "broker", "client", "deploy", "proxy", "tests"):
            self.assertTrue((docs / room / "README.md").exists(), room)
        self.assertTrue((docs / "LICENSE").exists())


if __name__ == "__main__":
    unittest.main()
