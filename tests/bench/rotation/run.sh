#!/usr/bin/env bash
# The rotation bench. Without --real: builds rotation_bench and runs it with the same flags. With --real: one fleet over
# ccr-broker and ccr-proxy as users run them, by the clock, beside the virtual run; ends non-zero when their goodputs are
# further apart than --within (0.02). Flags: --fleet NAME --seed S --minutes M --max-wait S --strategy NAME
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$repo/deploy/packages.sh"
# shellcheck disable=SC2086
install_packages $build_packages $run_packages $test_packages
real=
flags=()
for flag in "$@"; do
  if [ "$flag" = --real ]; then real=1; else flags+=("$flag"); fi
done
cd "$repo"
# build PRESET TARGET...
build() { cmake --preset "$1" >/dev/null && cmake --build --preset "$1" --target "${@:2}" -- --quiet; }
build debug rotation_bench
[ -n "$real" ] || exec build/debug/bin/rotation_bench "${flags[@]}"
build debug rotation_real
build release ccr-broker ccr-proxy
exec /usr/bin/python3 tests/bench/rotation/real/real.py --bin build/debug/bin --daemons build/release/bin "${flags[@]}"
