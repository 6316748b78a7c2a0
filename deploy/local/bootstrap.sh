#!/bin/sh
# bootstrap.sh [dev]: from a fresh Debian or Ubuntu to a virtual environment, the jars and InfluxDB. Quick when all is there.
#
#   PYTHON   interpreter to use (3.11 or 3.12); otherwise the first that works
#   dev      also what the tests and linters need
#
# Installs system packages only as root or with password-less sudo; otherwise it says what to type, and stops.
set -eu
cd "$(dirname "$0")/../.."
umask 022
lock=requirements.txt
[ "${1:-}" = dev ] && lock=requirements-dev.txt

say() { printf '%s\n' "$*" >&2; }
stop() { say "bootstrap: $*"; exit 1; }
now() { date +%s; }

# step WORDS… -- COMMAND…: a line with the seconds it took; its output only when it fails
step() {
    words=
    while [ "$1" != -- ]; do words="$words $1"; shift; done
    shift
    began=$(now)
    [ ! -t 2 ] || printf '  ..  %s' "${words# }" >&2
    if "$@" >"$report" 2>&1; then
        [ ! -t 2 ] || printf '\r' >&2
        printf '%4s s  %s\n' "$(($(now) - began))" "${words# }" >&2
    else
        [ ! -t 2 ] || printf '\n' >&2
        tail -n 30 "$report" >&2
        stop "failed: ${words# }"
    fi
}
report=$(mktemp)
trap 'rm -f "$report"' EXIT
trap 'exit 130' INT TERM

# -- system packages -------------------------------------------------------------------------------------------------
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
may_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

install() { # install REASON PACKAGE…
    reason=$1
    shift
    command -v apt-get >/dev/null || stop "$reason; install it, this system has no apt-get: $*"
    may_install || stop "$reason; type: sudo apt-get update && sudo apt-get install -y $*"
    step "package lists" -- as_root apt-get update
    # the package's own service must not run on our behalf
    step "install $*" -- as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "$@"
}

# -- Python ----------------------------------------------------------------------------------------------------------
# tried, not looked up: an interpreter on the PATH may belong to another user's home, or lack venv
python_works() {
    "$1" -c 'import ensurepip, sqlite3, ssl, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null
}
find_python() {
    for candidate in ${PYTHON:-python3.12 python3.11 python3 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3}; do
        if command -v "$candidate" >/dev/null && python_works "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}
python_of_venv() { [ -x .venv/bin/python ] && .venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; }

if ! python_of_venv; then
    if ! python=$(find_python); then
        [ -z "${PYTHON:-}" ] || stop "PYTHON=$PYTHON is not a Python 3.11 or 3.12 with venv"
        install "Python 3.11 or 3.12 with venv is needed" python3 python3-venv
        python=$(find_python) || stop "this system's python3 is neither 3.11 nor 3.12; install one and set PYTHON"
    fi
fi

# -- Java ------------------------------------------------------------------------------------------------------------
java_works() {
    for candidate in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java /usr/lib/jvm/*/bin/java /opt/java/*/bin/java; do
        case $("$candidate" -version 2>&1 | head -n 1) in
        *'"17'* | *'"21'*) return 0 ;;
        esac
        # a JAVA_HOME is an order, not a hint
        [ -z "${JAVA_HOME:-}" ] || return 1
    done
    return 1
}
if ! java_works; then
    [ -z "${JAVA_HOME:-}" ] || stop "JAVA_HOME=$JAVA_HOME is not a Java 17 or 21: correct it or unset it"
    install "Java 17 or 21 is needed" openjdk-17-jre-headless
fi

# -- InfluxDB --------------------------------------------------------------------------------------------------------
# unpacked, not installed: that needs no root, and no service starts by itself
unpack_influxdb() {
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download influxdb && dpkg -x ./influxdb_*.deb unpacked) || return 1
    "$folder/unpacked/usr/bin/influxd" version || return 1
    mkdir -p .local
    rm -rf .local/influxdb
    mv "$folder/unpacked" .local/influxdb
    rm -rf "$folder"
}
if ! command -v influxd >/dev/null && [ ! -x .local/influxdb/usr/bin/influxd ]; then
    command -v apt-get >/dev/null || stop "influxd (InfluxDB 1.x) is needed: install it and put it on the PATH"
    if ! apt-cache show influxdb >/dev/null 2>&1; then
        may_install || stop "the package lists are empty; type: sudo apt-get update"
        step "package lists" -- as_root apt-get update
    fi
    step "InfluxDB, unpacked into .local" -- unpack_influxdb
fi

# -- virtual environment ---------------------------------------------------------------------------------------------
wanted=$(cat "$lock" pyproject.toml | sha256sum | cut -d' ' -f1)
stamp=.venv/.installed-${lock%.txt}

# uv is much faster where there is one, but it does not read the user's pip configuration: pip has the last word
install_requirements() {
    if command -v uv >/dev/null && uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock"; then
        uv pip install --quiet --python .venv/bin/python --no-deps -e . && return
    fi
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes -r "$lock" &&
        .venv/bin/python -m pip install --disable-pip-version-check --no-deps -e .
}
# pyspark and pyspark-client own the same files: to change a version, start from nothing
remember_spark() { sed -n 's/^\(pyspark[a-z-]*==[^ ]*\).*/\1/p' "$lock" | sort | sha256sum | cut -d' ' -f1; }

if ! python_of_venv || { [ -f .venv/.spark ] && [ "$(cat .venv/.spark)" != "$(remember_spark)" ]; }; then
    [ -n "${python:-}" ] || python=$(find_python) || stop "Python 3.11 or 3.12 with venv is needed"
    step "virtual environment with $($python -V 2>&1)" -- "$python" -m venv --clear .venv
fi
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    step "Python packages of $lock (a minute or two the first time)" -- install_requirements
    remember_spark >.venv/.spark
    printf '%s' "$wanted" >"$stamp"
fi

# -- jars ------------------------------------------------------------------------------------------------------------
step "jars and Elasticsearch (300 MB the first time)" -- .venv/bin/python -m twitter_topics.local.jars
