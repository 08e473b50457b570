#!/usr/bin/env bash
# The test command: format, lints, tests, the storage lab, docs, and the shipped project's own checks and rehearsals. Needs a Rust toolchain
# with rustfmt and clippy, a C compiler, Node.js with npm, Python with venv and pip, and PostgreSQL, Poppler and Chromium, which it installs
# itself where it is root on Debian. Leaves nothing else outside target/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

need() { # NAME, WHAT TO DO, COMMAND...
    local name=$1 instead=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        echo "test.sh: $name is missing: $instead" >&2
        exit 2
    fi
}

need cargo "install Rust, see https://www.rust-lang.org/tools/install" cargo --version
need "a C compiler" "install one (the package is often called gcc or clang), or name it in CC" "${CC:-cc}" --version
need rustfmt "rustup component add rustfmt" cargo fmt --version
need clippy "rustup component add clippy" cargo clippy --version
need npm "install Node.js, see https://nodejs.org; it runs the servers that stand for model providers, and MCP servers" npm --version
need "Python 3.11 or newer" "install it, see https://www.python.org; it runs the gateway before model providers, and MCP servers" \
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'
need "Python's venv with pip" "install it (the package is often called python3-venv)" python3 -c 'import ensurepip, venv'

told=()
failed=0
finish() {
    local status=$?
    printf '\n'
    if ((${#told[@]})); then printf '%s\n' "${told[@]}"; fi
    if ((status == 0 && failed == 0)); then
        echo "all parts passed"
        exit 0
    fi
    exit "$((status > failed ? status : failed))"
}
trap finish EXIT

# Every part is run, so that one run tells all that is wrong.
part() { # NAME, COMMAND...
    local name=$1 began=$SECONDS status
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    set +e
    (set -e && "$@")
    status=$?
    set -e
    if ((status == 0)); then
        told+=("$(printf '%-8s %s s' "$name" "$((SECONDS - began))")")
    else
        failed=1
        told+=("$(printf '%-8s FAILED after %s s' "$name" "$((SECONDS - began))")")
    fi
}

part format cargo fmt --all --check
part lints cargo clippy --workspace --all-targets -- -D warnings
providers() { # The servers that stand for model providers, into target/.
    mkdir -p target/providers
    cp tests/providers/package.json tests/providers/package-lock.json target/providers/
    npm ci --prefix target/providers --ignore-scripts --no-audit --no-fund
}
part models providers
gateway() { # A gateway before those servers, into target/, unless it is there as the lock wants it.
    local at=target/providers/gateway lock=tests/providers/gateway.txt
    if cmp -s "$lock" "$at/installed.txt"; then return; fi
    python3 -m venv --clear "$at"
    # What it compiles by itself when it begins is a small part of all.
    "$at/bin/python" -m pip install --quiet --require-hashes --no-deps --no-compile --disable-pip-version-check -r "$lock"
    cp "$lock" "$at/installed.txt"
}
part gateway gateway
connectors() { # MCP servers, into target/; the one that is written in Python unless it is there as the lock wants it.
    local at=target/connectors
    mkdir -p "$at"
    cp tests/connectors/package.json tests/connectors/package-lock.json "$at/"
    npm ci --prefix "$at" --ignore-scripts --no-audit --no-fund
    if cmp -s tests/connectors/time.txt "$at/time/installed.txt"; then return; fi
    python3 -m venv --clear "$at/time"
    "$at/time/bin/python" -m pip install --quiet --require-hashes --no-deps --disable-pip-version-check \
        -r tests/connectors/time.txt
    cp tests/connectors/time.txt "$at/time/installed.txt"
}
part servers connectors
collector() { # A collector of OpenTelemetry, into target/, unless it is there as the lock wants it.
    local at=target/collector lock=tests/collector/collector.txt
    if cmp -s "$lock" "$at/installed.txt"; then return; fi
    python3 -m venv --clear "$at"
    "$at/bin/python" -m pip install --quiet --require-hashes --no-deps --no-compile --disable-pip-version-check -r "$lock"
    # The program stands in the middle of a package; tests look for it where it is always.
    (cd "$at" && ln -sf lib/python3*/site-packages/rotel/rotel-agent rotel-agent)
    cp "$lock" "$at/installed.txt"
}
part spans collector
document() { # What knows OpenAPI, into target/.
    mkdir -p target/document
    cp tests/document/package.json tests/document/package-lock.json target/document/
    npm ci --prefix target/document --ignore-scripts --no-audit --no-fund
}
part document document
post() { # A mail server, into target/, unless it is there as the lock wants it.
    local at=target/mail lock=tests/mail/server.txt
    if cmp -s "$lock" "$at/installed.txt"; then return; fi
    python3 -m venv --clear "$at"
    "$at/bin/python" -m pip install --quiet --require-hashes --no-deps --disable-pip-version-check -r "$lock"
    cp "$lock" "$at/installed.txt"
}
part mail post
installed() { # PACKAGE: installs it, where that may be.
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then return 1; fi
    apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends "$1" >/dev/null
}
database() { # A PostgreSQL server's programs; the tests start it themselves, on a port of its own.
    if command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || installed postgresql; then return; fi
    echo "install PostgreSQL (the package is often called postgresql), or put its programs on the path" >&2
    return 1
}
part database database
documents() { # What PDF files are read with.
    if command -v pdftotext >/dev/null || installed poppler-utils; then return; fi
    echo "install Poppler's pdftotext (the package is often called poppler-utils)" >&2
    return 1
}
part papers documents
# What a test needs is installed above: one that does not find it fails.
export TEST_PARTS=all
part tests cargo test --no-fail-fast
# With the whole workspace, so that what both crates share is built once.
part faults cargo test --workspace --test lab -- --show-output
part docs env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
part check cargo run --quiet -- check
part rehearse cargo run --quiet -- test
browser() { # A browser, if there is one or may be; its place is in CHROMIUM.
    local name
    for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
        if CHROMIUM=$(command -v "$name"); then export CHROMIUM; return 0; fi
    done
    installed chromium || return 1
    CHROMIUM=$(command -v chromium) && export CHROMIUM
}
page() { # The page in a real browser: its scripts' types, the walk of people, hostile texts. Its pictures are in target/page/shots.
    mkdir -p target/page
    cp tests/page/package.json tests/page/package-lock.json target/page/
    npm ci --prefix target/page --ignore-scripts --no-audit --no-fund
    target/page/node_modules/.bin/tsc --noEmit --checkJs --allowJs --strict --target es2022 --module es2022 \
        --moduleResolution bundler --lib dom,dom.iterable,es2023 src/web/assets/*.js
    if ! browser; then
        echo "NOT RUN: the page in a browser: install Chromium (the package is often called chromium), or name it in CHROMIUM" >&2
        [[ -z ${CI:-} ]]
        return
    fi
    cargo build --quiet
    node tests/page/walk.mjs
    node tests/page/hostile.mjs
    node tests/page/failures.mjs
}
part page page
