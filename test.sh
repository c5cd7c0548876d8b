#!/bin/sh
# Installs what the tests need and runs them all: ./test.sh [argument of cargo nextest run]...
#
# Debian packages that are missing are installed when this runs as root; Python packages go into
# target/venv, packages of Node into target/node, and what is built of other languages into
# target/clients. A second run finds everything in place and only runs the tests. Nothing is skipped:
# what cannot be had is an error.
set -eu
cd "$(dirname "$0")"

fail() {
    echo "test.sh: $*" >&2
    exit 1
}

# Where Debian puts Go libraries.
gocode=/usr/share/gocode

# The Debian packages of the commands that the tests run and this machine does not have.
missing_packages() {
    while read -r command package; do
        command -v "$command" >/dev/null || echo "$package"
    done <<EOF
bash bash
cc gcc
curl curl
go golang-go
hostname hostname
node nodejs
npm npm
ping iputils-ping
pkg-config pkg-config
prometheus prometheus
prometheus-pushgateway prometheus-pushgateway
promtool prometheus
python3 python3
redis-cli redis-tools
redis-server redis-server
systemd-analyze systemd
EOF
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    [ -d "$gocode/src/github.com/prometheus/client_golang" ] ||
        echo golang-github-prometheus-client-golang-dev
    pkg-config --exists openssl 2>/dev/null || echo libssl-dev
}

# Debian starts the service of a package it installs unless this file forbids it. Where there is
# one already, as in containers, it stays as it is.
policy=/usr/sbin/policy-rc.d
made_policy=
remove_policy() {
    [ -z "$made_policy" ] || rm -f "$policy"
    made_policy=
}

# Installs packages and starts none of the services in them.
install_packages() {
    trap remove_policy EXIT
    trap 'exit 1' HUP INT TERM
    if [ ! -e "$policy" ]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update </dev/null
    apt-get -qq install -y --no-install-recommends "$@" </dev/null
    remove_policy
    trap - EXIT HUP INT TERM
}

packages=$(missing_packages)
if [ -n "$packages" ]; then
    packages=$(echo "$packages" | tr '\n' ' ')
    command -v apt-get >/dev/null || fail "the commands of these Debian packages are missing: $packages"
    [ "$(id -u)" -eq 0 ] || fail "install these packages first, or run this as root: apt-get install $packages"
    echo "test.sh: installing $packages"
    # shellcheck disable=SC2086 # one word for each package
    install_packages $packages
    packages=$(missing_packages)
    [ -z "$packages" ] || fail "still missing after the installation: $packages"
fi
command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.95 or newer"

# The copy of the requirements, written last, says that the environment is complete.
venv=target/venv
if ! cmp -s tests/requirements.txt "$venv/requirements.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --requirement tests/requirements.txt
    cp tests/requirements.txt "$venv/requirements.txt"
fi

# The clients of other languages.
clients=target/clients
mkdir -p "$clients" target/node
if ! cmp -s tests/clients/package-lock.json target/node/installed.json; then
    cp tests/clients/package.json tests/clients/package-lock.json target/node
    (cd target/node && npm ci --silent --no-audit --no-fund)
    cp tests/clients/package-lock.json target/node/installed.json
fi
if [ ! -e "$clients/push-go" ] || [ tests/clients/push.go -nt "$clients/push-go" ]; then
    GO111MODULE=off GOPATH="$gocode" GOCACHE="$PWD/$clients/go-cache" \
        go build -o "$clients/push-go" tests/clients/push.go
fi
cargo build --quiet --locked --manifest-path tests/clients/rust/Cargo.toml --target-dir "$clients/rust"

# Without --all-targets, which would run the benches too: clippy sees that they compile.
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run "$@"
else
    cargo test "$@"
fi
cargo test --doc
