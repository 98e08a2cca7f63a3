#!/usr/bin/env bash
# Installs, uses and purges the Debian package beside this file, as root on a Debian 12 that is thrown away afterwards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
[ -e /.dockerenv ] || [ -e /run/.containerenv ] || { echo "package.sh: this is not a container" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
package=$(echo "$PWD"/ccr_*.deb)
version=$(dpkg-deb -f "$package" Version)
trap 'echo "package.sh: line $LINENO: $BASH_COMMAND" >&2' ERR

# same WHAT EXPECTED FOUND
same() { [ "$2" = "$3" ] || { printf 'package.sh: %s: expected\n%s\nfound\n%s\n' "$1" "$2" "$3" >&2; exit 1; }; }
install() { apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
# Everything of ccr but what this test brought.
traces() { find / -xdev \( -path /proc -o -path /sys -o -path /var/cache/man -o -path "$PWD" \) -prune -o -regex '.*/[._]?ccr.*' -print | sort; }

# A container's Debian leaves out documents and manual pages, and has not what asks questions.
rm -f /etc/dpkg/dpkg.cfg.d/docker* /etc/apt/apt.conf.d/70debconf
apt-get update -qq
same "before" "" "$(traces)"

# As both ways of the documentation have it: dpkg says what is missing, and apt brings it.
dpkg -i "$package" >/dev/null 2>&1 || true
install --fix-broken
same "the state of the package" "install ok installed" "$(dpkg-query -W -f '${Status}' ccr)"
apt-get purge -y -qq ccr >/dev/null
same "after a purge at once" "" "$(traces)"
install "$package" man-db systemd

echo "-- programs"
for program in ccr ccr-broker ccr-proxy; do
  same "$program --version" "$program $version" "$("$program" --version)"
  same "libraries of $program" "" "$(ldd "/usr/bin/$program" | grep 'not found' || true)"
done
useradd --create-home user
service() { su - user -c "ccr --json $*"; }
su - user -c 'umask 077 && mkdir .claude-code-router && cat >.claude-code-router/config.json' <<'JSON'
{Providers: [{name: "p", api_base_url: "http://127.0.0.1:9/v1/chat/completions", models: ["m"], api_keys: ["canary-key-1"]}],
 Router: {default: "p,m"}, Broker: {metrics_listen: "127.0.0.1:0"}, Proxy: {listen: "127.0.0.1:0", metrics_listen: "127.0.0.1:0"}}
JSON
service start >/dev/null
status=$(service status)
[[ $status == *"\"version\":\"$version\""* ]] || same "ccr status" "version $version" "$status"
service health >/dev/null
service stop >/dev/null

echo "-- files"
same "changed files" "" "$(dpkg --verify ccr)"
same "owners and modes" "0700 root root /etc/ccr
0700 root root /etc/ccr/keys" "$(dpkg -L ccr | grep -v '^/\.$' | xargs stat -c '%04a %U %G %n' | grep -vE '^0(755|644) root root ' | sort)"
for page in 'ccr(1)' 'ccr-broker(8)' 'ccr-proxy(8)'; do
  name=${page%(*} section=${page//[^0-9]/}
  lexgrog "$(man -w "$section" "$name")" | grep ": \"$name - " >/dev/null
  same "warnings about $page" "" "$(man --warnings "$section" "$name" 2>&1 >/dev/null)"
done
man ccr | grep 'ccr config check' >/dev/null
test -s /usr/share/doc/ccr/README.md -a -s /usr/share/doc/ccr/copyright -a -s /usr/share/doc/ccr/changelog.gz
bash -c '. /usr/share/bash-completion/completions/ccr && complete -p ccr' >/dev/null
test -s /usr/share/zsh/vendor-completions/_ccr -a -s /usr/share/fish/vendor_completions.d/ccr.fish

echo "-- units"
same "the system's units" "" "$(systemd-analyze verify ccr-broker.service ccr-proxy@3456.service 2>&1)"
same "the user's unit" "" "$(XDG_RUNTIME_DIR=/run systemd-analyze --user verify ccr.service 2>&1)"
for unit in ccr-broker.service ccr-proxy@3456.service; do  # exposure, in tenths
  systemd-analyze security --offline=yes --threshold=20 "$unit" >/dev/null
done
same "enabled by the package" "" "$(find /etc/systemd -name '*ccr*')"
systemctl enable -q ccr-broker.service ccr-proxy@3456.service
systemctl --global enable -q ccr.service

echo "-- upgrade and purge"
echo '{}' >/etc/ccr/config.json5
echo canary-key-1 >/etc/ccr/keys/one
mkdir -p /var/lib/private/ccr
install --reinstall "$package"
same "files of the administrator after an upgrade" "/etc/ccr/config.json5 /etc/ccr/keys/one" "$(echo /etc/ccr/*.json5 /etc/ccr/keys/*)"
userdel -r user 2>/dev/null
apt-get remove -y -qq ccr >/dev/null
same "links to units after a removal" 3 "$(find /etc/systemd -name '*ccr*' | wc -l)"
apt-get purge -y -qq ccr >/dev/null
same "after a purge" "/etc/ccr
/etc/ccr/config.json5
/etc/ccr/keys
/etc/ccr/keys/one
/var/lib/private/ccr" "$(traces)"
echo "-- the package passed in $SECONDS s"
