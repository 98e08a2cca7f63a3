#!/usr/bin/env bash
# Installs what is missing, builds and runs every test. Ends non-zero on any failure.
#   tests/run.sh            everything: format, debug with tidy, each source by itself, ASan + UBSan, TSan (what has threads),
#                           end to end
#   tests/run.sh STEP...    only these steps: format arrows debug plain asan tsan e2e, or
#                           e2e_release: with what users run; fuzz: each target of tests/fuzz for a minute
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo"
. deploy/packages.sh
# shellcheck disable=SC2086
install_packages $build_packages $run_packages $test_packages

jobs=$(nproc)
# build PRESET [CMAKE-ARGUMENT...]
build() { cmake --preset "$1" "${@:2}" >/dev/null && cmake --build --preset "$1" -- --quiet; }
run_ctest() { ctest --test-dir "build/$1" --timeout 900 --output-on-failure -j "$jobs" "${@:2}"; }

step_format() { git ls-files '*.cc' '*.h' | xargs clang-format --dry-run -Werror; }
step_arrows() { /usr/bin/python3 tests/tools/arrows_test.py; }
step_debug() { build debug -DCCR_TIDY=ON && run_ctest debug; }
step_plain() {
  cmake --preset plain >/dev/null && cmake --build --preset plain --target ccr_proto -- --quiet &&
    /usr/bin/python3 tests/tools/each_source.py build/plain "$jobs"
}
step_asan() { build asan && run_ctest asan; }
step_tsan() { build tsan && run_ctest tsan; }
step_fuzz() { tests/fuzz/run.sh 60; }
step_e2e() { build asan && tests/e2e/run.sh build/asan/bin; }
step_e2e_release() { build release && tests/e2e/run.sh build/release/bin; }

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(format arrows debug plain asan tsan e2e)
for step in "${steps[@]}"; do
  echo "== $step"
  started=$SECONDS
  "step_$step"
  echo "== $step: passed in $((SECONDS - started)) s"
done
