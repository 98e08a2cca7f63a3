#!/usr/bin/env bash
# Brings what runs to the image and configuration of now, and no request notices:
# new proxies beside the old ones; the old ones end when their streams have; then the broker, for whom proxies wait.
#   cd deploy && git pull && docker-compose build && ./upgrade.sh
# COMPOSE is the command to use, with its -f options where you need them (docker-compose, or docker compose).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
read -r -a compose <<<"${COMPOSE:-$(command -v docker-compose >/dev/null && echo docker-compose || echo docker compose)}"
patience=${CCR_UPGRADE_SECONDS:-120}

mapfile -t old < <("${compose[@]}" ps -q proxy)
count=${#old[@]}
[ "$count" -gt 0 ] || { echo "no proxy runs: start with \"${compose[*]} up -d\"" >&2; exit 1; }

echo "Starting $count new beside $count old proxies"
"${compose[@]}" up -d --no-build --no-deps --no-recreate --scale proxy=$((2 * count)) proxy
mapfile -t all < <("${compose[@]}" ps -q proxy)
for container in "${all[@]}"; do
  for ((second = 0; ; ++second)); do
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$container")" = healthy ] && break
    if [ "$second" -ge "$patience" ]; then
      echo "$container does not get healthy; nothing was stopped. Its log: docker logs $container" >&2
      exit 1
    fi
    sleep 1
  done
done

echo "The old ones end when their streams have"
docker stop -t 310 "${old[@]}" >/dev/null
docker rm "${old[@]}" >/dev/null

echo "Replacing the broker"
"${compose[@]}" up -d --no-build --no-deps broker
