#!/usr/bin/env bash
# Makes what broker and proxies need to speak TLS with each other, both sides with a certificate (PEM files, ECDSA P-256):
#   deploy/make-certs.sh FOLDER [NAME...]     NAMEs are what the broker is called by its clients: host names or IP addresses,
#                                             default: localhost 127.0.0.1 broker
#   ca.crt ca.key                        the authority, 10 years; keep ca.key away from the services
#   broker/ broker.crt broker.key ca.crt    for ccr-broker --tls-cert, --tls-key, --tls-client-ca; good for ccr beside it too
#   client/ client.crt client.key ca.crt    for ccr-proxy and ccr --broker-tls-cert, --broker-tls-key, --broker-tls-ca
# Run again, it keeps the authority and makes new certificates (825 days): the services take them up within a minute.
set -euo pipefail
umask 077
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command -v openssl >/dev/null || { echo "make-certs.sh: openssl is missing: apt-get install openssl" >&2; exit 1; }
folder=$1
shift
[ $# -gt 0 ] || set -- localhost 127.0.0.1 broker
mkdir -p "$folder"
cd "$folder"

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

# sign NAME EXTENSIONS: the folder NAME, each file of it replaced in one step
sign() {
  mkdir -p "$1"
  cp ca.crt "$1/ca.crt"
  new_key "$1/$1.key.new"
  openssl req -new -key "$1/$1.key.new" -subj "/CN=ccr-$1" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days 825 -sha256 \
      -extfile <(printf '%s\n' "$2" 'basicConstraints=critical,CA:FALSE') -out "$1/$1.crt.new" 2>/dev/null
  mv "$1/$1.key.new" "$1/$1.key"
  mv "$1/$1.crt.new" "$1/$1.crt"
}

if [ ! -f ca.crt ]; then
  new_key ca.key
  openssl req -x509 -new -key ca.key -subj "/CN=ccr" -days 3650 -sha256 -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.crt
fi
names=
for name in "$@"; do
  if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then kind=IP; else kind=DNS; fi
  names+=",$kind:$name"
done
sign broker "subjectAltName=${names#,}"$'\n''extendedKeyUsage=serverAuth,clientAuth'
sign client 'extendedKeyUsage=clientAuth'
echo "made in $folder: broker/ for $*, and client/"
