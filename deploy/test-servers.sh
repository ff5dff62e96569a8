#!/usr/bin/env bash
# The servers that tests start for themselves, as programs of this machine: brokers, databases, SSH; and the programs that
# check what is deployed (docker compose, haproxy, promtool). Instant when they
# are there. As root on Debian and its kin it installs them; elsewhere it says what is missing, and goes on: tests that
# need a missing server say so.
set -euo pipefail

declare -A PACKAGE=(
    [mosquitto]=mosquitto [mariadbd]=mariadb-server [rabbitmq-server]=rabbitmq-server [sshd]=openssh-server
    [promtool]=prometheus [haproxy]=haproxy
)
PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=()
for program in "${!PACKAGE[@]}"; do
    command -v "$program" >/dev/null || missing+=("${PACKAGE[$program]}")
done
[ -e /usr/lib/openssh/sftp-server ] || [ -e /usr/libexec/openssh/sftp-server ] || missing+=(openssh-sftp-server)
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || missing+=(docker-compose)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    printf 'gridhub: tests want these servers: %s. On Debian and Ubuntu: sudo apt-get install %s\n' \
        "${missing[*]}" "${missing[*]}" >&2
    exit 0
fi

# Debian starts what it installs; the tests start their own, so nothing of it may run.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
printf '%4ds  installing %s\n' "$SECONDS" "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null </dev/null
printf '%4ds  servers ready\n' "$SECONDS"
