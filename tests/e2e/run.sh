#!/usr/bin/env bash
# Runs the end-to-end tests with the binaries of a folder: tests/e2e/run.sh build/release/bin [unittest arguments]
# The npm packages that some of them run as clients are installed first, once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CCR_BIN=$(cd "$1" && pwd)
export CCR_BIN PYTHONDONTWRITEBYTECODE=1
"$here/npm/install.sh" >/dev/null
cd "$here"
if [ $# -gt 1 ]; then
  exec /usr/bin/python3 -m unittest "${@:2}"
fi
# Each file in a process of its own, two at a time; their waits overlap.
printf '%s\n' *_test.py | sed 's/\.py$//' | xargs -P 2 -I{} sh -c '
  log=$(mktemp)
  if timeout --kill-after=10 600 /usr/bin/python3 -m unittest {} >"$log" 2>&1; then
    echo "{}: $(grep -E "^Ran" "$log")"; rm -f "$log"
  else
    cat "$log"; rm -f "$log"; exit 255
  fi'
