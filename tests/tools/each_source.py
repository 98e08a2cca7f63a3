"""Compiles each source of a build by itself, as its compile_commands.json says, but no further than its meaning: nothing is
written. Says whether each includes what it uses, and warns as the compiler does.

    each_source.py BUILD [JOBS]
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys


def check(entry):
    words = [word for word in shlex.split(entry["command"]) if os.path.basename(word) != "ccache"]
    output = words.index("-o")
    del words[output : output + 2]
    return subprocess.run(words + ["-fsyntax-only"], cwd=entry["directory"], capture_output=True, text=True)


def main():
    build = sys.argv[1]
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count()
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    if not entries:
        sys.exit(f"each_source: {build} has no sources")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for entry, result in zip(entries, pool.map(check, entries)):
            if result.returncode == 0:
                continue
            failed += 1
            print(f"== {entry['file']}\n{result.stderr}", file=sys.stderr)
    print(f"each_source: {len(entries)} sources, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
