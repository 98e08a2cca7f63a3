#!/usr/bin/env bash
# Runs the end-to-end tests with the binaries of a folder: tests/e2e/run.sh build/release/bin [unittest arguments]
# The npm packages that some of them run as clients are installed first, once. All files are run, and those that failed named.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CCR_BIN=$(cd "$1" && pwd)
export CCR_BIN PYTHONDONTWRITEBYTECODE=1
"$here/npm/install.sh" >/dev/null
cd "$here"
if [ $# -gt 1 ]; then
  exec /usr/bin/python3 -m unittest "${@:2}"
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# run_file NAME: one file in a process of its own. Says how it went, with all its output when it failed.
run_file() {
  local status=0 log=$logs/$1.log
  timeout --kill-after=10 900 /usr/bin/python3 -m unittest "$1" >"$log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    echo "$1: $(grep -E '^Ran' "$log")"
    return
  fi
  local why="exit status $status"
  [ "$status" -ne 124 ] && [ "$status" -ne 137 ] || why="it did not end within 900 s"
  echo "$1: $why" >>"$logs/failed"
  {
    flock 9  # one file's output after the other's
    echo "== $1 failed: $why"
    cat "$log"
    echo "== end of $1"
  } 9>>"$logs/lock"
}
export -f run_file
export logs
# Two at a time: their waits overlap.
printf '%s\n' *_test.py | sed 's/\.py$//' | xargs -P 2 -I{} bash -c 'run_file {}'
if [ -e "$logs/failed" ]; then
  echo "end-to-end tests failed:" >&2
  sort "$logs/failed" >&2
  exit 1
fi
