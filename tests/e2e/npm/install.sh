#!/usr/bin/env bash
# Installs the pinned npm packages into build/npm, unless they are there already, and prints that folder.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(cd "$here/../../.." && pwd)/build/npm
command -v npm >/dev/null || { echo "npm is missing: install the packages of deploy/packages.sh" >&2; exit 1; }
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if ! cmp -s "$here/package-lock.json" "$folder/installed"; then
  rm -f "$folder/installed"
  cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$folder/"
  (cd "$folder" && npm ci --prefer-offline --loglevel=error >&2)
  cp "$here/package-lock.json" "$folder/installed"
fi
echo "$folder"
