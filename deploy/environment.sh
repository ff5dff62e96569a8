#!/usr/bin/env bash
# Makes .venv with exactly what a lock file names. Instant when nothing has changed.
#
#   deploy/environment.sh run   what the hub needs to run            (requirements.lock)
#   deploy/environment.sh dev   the same and all checks, and gridhub itself, editable   (requirements-dev.lock)
#
# PYTHON chooses the interpreter. Needs Python 3.11 or newer with venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }
give_up() { printf 'gridhub: %s\n' "$*" >&2; exit 1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || give_up "PYTHON=$PYTHON is not Python 3.11 or newer"
        printf '%s' "$PYTHON"
        return
    fi
    local name
    for name in python3.13 python3.12 python3.11 python3; do
        if new_enough "$name"; then
            printf '%s' "$name"
            return
        fi
    done
    give_up "no Python 3.11 or newer found; install one, or name it: make setup PYTHON=/path/to/python3"
}

# Debian and its kin ship Python without the module that fills a new environment.
ensure_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing python3-venv"
        DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv >/dev/null </dev/null
        "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    fi
    give_up "$1 has no venv: install it first, on Debian and Ubuntu: sudo apt-get install python3-venv"
}

# One line a package, so that a slow network shows that it moves.
count() {
    awk -v total="$1" '/^(Collecting|Processing|Ignoring) / {
                           n++; sub(".*/", "", $2); sub(":$", "", $2)
                           printf "       %d/%d %s%s\n", n, total, $2, ($1 == "Ignoring" ? " (not here)" : ""); fflush() }
                       /ERROR|error:/ { print; fflush() }'
}

usable() { new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }

# What an environment was made from: lock, project, interpreter.
key() {
    local version
    version=$(.venv/bin/python -VV)
    printf '%s\n' "$version" | cat - "$@" | sha256sum | cut -d' ' -f1
}

stamped() { [ -f ".venv/stamp-$1" ] && [ "$(cat ".venv/stamp-$1")" = "$(key "${@:2}")" ]; }

install_locked() {
    local total
    total=$(grep -c '^[a-z0-9].*==' "$1")
    say "installing $total packages from $1"
    .venv/bin/python -m pip install --require-hashes --no-input --disable-pip-version-check --progress-bar off \
        -r "$1" </dev/null | count "$total"
}

case "${1:-}" in
run | dev) ;;
*) give_up "say run or dev" ;;
esac

if ! usable; then
    python=$(find_python)
    ensure_venv "$python"
    say "making .venv with $("$python" -V)"
    "$python" -m venv --clear .venv
fi
dev_made_from=(requirements-dev.lock pyproject.toml)
run_made_from=(requirements.lock)

if stamped dev "${dev_made_from[@]}"; then
    say "environment is ready"
    exit 0
fi
if [ "$1" = run ]; then
    if ! stamped run "${run_made_from[@]}"; then
        install_locked requirements.lock
        key "${run_made_from[@]}" >.venv/stamp-run
    fi
    say "environment is ready"
    exit 0
fi
install_locked requirements-dev.lock
say "installing gridhub itself, editable"
.venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps --no-build-isolation \
    --editable . </dev/null
key "${dev_made_from[@]}" >.venv/stamp-dev
say "environment is ready"
