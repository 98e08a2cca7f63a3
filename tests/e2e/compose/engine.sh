# Sourced by compose_test.sh: a container engine of the test's own, for a Debian 12 machine on which none runs. Needs root.
#   engine_install       its packages
#   engine_base          makes debian:bookworm-slim with debootstrap, as no registry is asked
#   engine_start build   in the machine's network, without bridge or firewall rules: images are built with --network=host
#   engine_start run     in a network namespace of its own, with all that an engine does by default; nothing in it leaves the
#                        machine. Ports that it publishes are reached with engine_exec
#   engine_exec CMD...   runs CMD in that namespace
#   engine_stop          ends engine and namespace; its data stays in ENGINE_DIR, and both modes share them
# A second test at the same time must have another ENGINE_DIR and ENGINE_NETNS.
ENGINE_DIR=${ENGINE_DIR:-${TMPDIR:-/tmp}/ccr-container-engine}
ENGINE_NETNS=${ENGINE_NETNS:-ccr-engine}
engine_bridge=172.17.0.1
export DOCKER_HOST=unix://$ENGINE_DIR/docker.sock DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
PATH=/usr/bin:$PATH  # Debian's client has BuildKit built in

engine_packages="docker.io docker-compose debootstrap iptables iproute2 dnsmasq-base"

engine_install() {
  # shellcheck disable=SC2086
  install_packages $engine_packages
}

engine_base() {
  local archive=$ENGINE_DIR/bookworm.tar root=$ENGINE_DIR/rootfs
  if [ ! -f "$archive" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root" >"$ENGINE_DIR/debootstrap.log" || return 1
    # Packages come from where this machine has them.
    rm -rf "$root"/etc/apt/sources.list "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    cp -r /etc/apt/sources.list* "$root/etc/apt/" || return 1
    tar -C "$root" -cf "$archive.part" . && mv "$archive.part" "$archive" || return 1
    rm -rf "$root"
  fi
  docker import -c 'CMD ["bash"]' "$archive" debian:bookworm-slim
}

engine_exec() { nsenter --net="/var/run/netns/$ENGINE_NETNS" "$@"; }  # "ip netns exec" would hide the cgroups

engine_start() {
  local daemon=(dockerd -H "$DOCKER_HOST" --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" --pidfile "$ENGINE_DIR/pid"
    --storage-driver=overlay2)
  mkdir -p "$ENGINE_DIR"
  case $1 in
    build) setsid "${daemon[@]}" --bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false >"$ENGINE_DIR/log" 2>&1 & ;;
    run)
      ip netns add "$ENGINE_NETNS" && ip -n "$ENGINE_NETNS" link set lo up || return 1
      engine_exec setsid "${daemon[@]}" --bip "$engine_bridge/24" --dns "$engine_bridge" >"$ENGINE_DIR/log" 2>&1 &
      ;;
  esac
  local left=300
  until docker info >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { tail -5 "$ENGINE_DIR/log" >&2; return 1; }
    sleep 0.1
  done
  [ "$1" = build ] && return 0
  # A name server that says "no such name" at once: without it the name of a stopped service takes 20 s to fail.
  engine_exec dnsmasq --no-resolv --no-hosts --local='/#/' --listen-address="$engine_bridge" --bind-interfaces \
    --pid-file="$ENGINE_DIR/dnsmasq.pid"
}

engine_stop() {
  local pid
  if pid=$(cat "$ENGINE_DIR/pid" 2>/dev/null) && kill "$pid" 2>/dev/null; then
    while [ -d "/proc/$pid" ]; do sleep 0.1; done
  fi
  ! pid=$(cat "$ENGINE_DIR/dnsmasq.pid" 2>/dev/null) || kill "$pid" 2>/dev/null || true
  rm -f "$ENGINE_DIR/dnsmasq.pid"
  ip netns del "$ENGINE_NETNS" 2>/dev/null || true
}
