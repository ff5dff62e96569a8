#!/usr/bin/env bash
# Builds the console into console/dist when its sources changed; instant when they did not.
#
#   deploy/console.sh          for the demo and the stack: without Node it says what is missing, and goes on
#   deploy/console.sh must     ends with 1 when it cannot be built
#
# Needs Node 20.19 or newer with npm. Packages are those of console/package-lock.json, checked by their digests; none of
# them runs anything while it is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../console"

must=${1:-}
say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }

# A console that is not built is no reason not to run the hub, where nobody insists.
give_up() {
    printf 'gridhub: the console is not built: %s\n' "$*" >&2
    if [ -f dist/index.html ]; then
        printf 'gridhub: /console/ shows the one that was built before\n' >&2
    else
        printf 'gridhub: the hub works without it; /console/ will say what to install\n' >&2
    fi
    [ "$must" = must ] && exit 1
    exit 0
}

new_enough() {
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

# What the build is made from, so that it is made again when, and only when, something of it changed.
key() {
    {
        node --version
        find . -type f -not -path './node_modules/*' -not -path './dist/*' -not -name openapi.json -not -name .building -not -name .tests-build \
            -print0 | sort -z | xargs -0 sha256sum
    } | sha256sum | cut -d' ' -f1
}

# A line every ten seconds, so that a slow network is seen to be one.
patiently() {
    "$@" </dev/null >/tmp/gridhub-console.$$ 2>&1 &
    local working=$! waited=0
    while kill -0 "$working" 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        [ $((waited % 50)) -ne 0 ] || say "still at it"
    done
    local code=0
    wait "$working" || code=$?
    [ "$code" -eq 0 ] || tail -20 /tmp/gridhub-console.$$ >&2
    rm -f /tmp/gridhub-console.$$
    return "$code"
}

install_packages() {
    cmp -s package-lock.json node_modules/.stamp && return
    say "installing $(grep -c '"integrity"' package-lock.json) packages from console/package-lock.json"
    patiently npm ci --ignore-scripts --no-progress --loglevel error || give_up "its packages could not be installed"
    cp package-lock.json node_modules/.stamp
}

command -v node >/dev/null || give_up "Node is missing; install Node 20.19 or newer with npm, then: make console"
new_enough || give_up "Node $(node --version) is too old; install Node 20.19 or newer with npm, then: make console"
command -v npm >/dev/null || give_up "npm is missing; install it beside Node, then: make console"

exec 9>.building
flock 9
wanted=$(key)
if [ -f dist/.stamp ] && [ "$(cat dist/.stamp)" = "$wanted" ] && cmp -s package-lock.json node_modules/.stamp; then
    say "console is ready"
    exit 0
fi
install_packages
say "building the console"
patiently npm run build --silent || give_up "the build failed"
printf '%s\n' "$wanted" >dist/.stamp
say "console is ready"
