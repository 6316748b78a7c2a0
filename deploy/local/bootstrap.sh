#!/bin/sh
# bootstrap.sh [dev]: sets up a virtual environment, the jars and InfluxDB on a fresh Debian or Ubuntu. Quick when everything is there.
#
#   PYTHON   interpreter to use; default: the newest that works
#   VENV     folder of the virtual environment; default: .venv
#   dev      also install what the tests and linters need
#
# Installs system packages only as root or with password-less sudo; otherwise it prints the command to type and stops.
set -eu
cd "$(dirname "$0")/../.."
umask 022
. deploy/local/steps.sh
# PATH splits at colons, Spark's and Kafka's lists at commas, SQLite's URLs at question marks
case $(pwd) in *[:,?]*) stop "the path $(pwd) contains one of : , ? which the servers cannot handle; move the checkout" ;; esac
lock=requirements.txt
[ "${1:-}" = dev ] && lock=requirements-dev.txt
venv=${VENV:-.venv}
system=$( (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null ) || system=$(uname -s)

# `requires-python` of pyproject.toml is the only list of versions: >=3.11,<3.14 becomes "11 12 13"
minors=$(sed -n 's/^requires-python = ">=3\.\([0-9]*\),<3\.\([0-9]*\)"/\1 \2/p' pyproject.toml |
    { read -r first end; seq "$first" "$((end - 1))"; } | tr '\n' ' ')
# shellcheck disable=SC2086 # lists of words, here and below
newest_first=$(printf '%s\n' $minors | sort -rn | tr '\n' ' ')
pythons="Python 3.${minors%% *} to 3.${newest_first%% *}"

# -- what is missing on this system ----------------------------------------------------------------------------------
python_is_right() {
    "$1" -c "import sqlite3, ssl, sys; sys.exit(sys.version_info[0] != 3 or str(sys.version_info[1]) not in '$minors'.split())" 2>/dev/null
}
# tried, not just found: an interpreter on the PATH may be unreadable or lack venv
python_works() { python_is_right "$1" && "$1" -c 'import ensurepip, venv' 2>/dev/null; }
python_candidates() {
    echo python3
    for minor in $newest_first; do echo "python3.$minor /usr/bin/python3.$minor /usr/local/bin/python3.$minor"; done
    echo /usr/bin/python3
}
find_python() {
    for candidate in ${PYTHON:-$(python_candidates)}; do
        if command -v "$candidate" >/dev/null && "$1" "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}
java_works() {
    for candidate in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java /usr/lib/jvm/*/bin/java /opt/java/*/bin/java; do
        case $("$candidate" -version 2>&1 | head -n 1) in
        *'"17'* | *'"21'*) return 0 ;;
        esac
        # JAVA_HOME is binding, not a hint
        [ -z "${JAVA_HOME:-}" ] || return 1
    done
    return 1
}
influxd_is_there() { command -v influxd >/dev/null || [ -x .local/influxdb/usr/bin/influxd ]; }

# -- what this system has ---------------------------------------------------------------------------------------------
has_apt() { command -v apt-get >/dev/null; }
may_install() { has_apt && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
offered() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }
first_offered() { for package; do if offered "$package"; then echo "$package"; return; fi; done; return 1; }

read_package_lists() {
    if ! offered make; then
        may_install || stop "the package lists of $system are empty; type: sudo apt-get update"
        step "package lists" -- as_root apt-get update
    fi
}
python_packages() {
    # a supported Python that only lacks venv gets its venv package
    if python=$(find_python python_is_right); then
        minor=$(minor_of "$python")
        case $python in /usr/bin/*) if offered "python3.$minor-venv"; then echo "python3.$minor-venv"; return; fi ;; esac
    fi
    for minor in $newest_first; do
        if offered "python3.$minor-venv"; then
            echo "python3.$minor python3.$minor-venv"
            return
        fi
    done
    return 1
}

no_python() {
    newest=3.${newest_first%% *}
    stop "$pythons is required, and $system has no package of one. Let uv install one, then name it:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends python3-venv && python3 -m venv ~/.uv &&
    ~/.uv/bin/pip install uv && ~/.uv/bin/uv python install $newest
  PYTHON=\$(~/.uv/bin/uv python find $newest) make demo"
}

# everything at once: one command to type
install_what_is_missing() {
    packages=
    reasons=
    need() { packages="$packages $2"; reasons="$reasons${reasons:+, }$1"; }
    if [ -n "$lacks_python" ]; then
        found=$(python_packages) || no_python
        need "$pythons with venv" "$found"
    fi
    if [ -n "$lacks_java" ]; then
        found=$(first_offered openjdk-21-jre-headless openjdk-17-jre-headless) ||
            stop "Java 17 or 21 is needed, but $system has no package; install one, e.g. from adoptium.net, and set JAVA_HOME"
        need "Java 17 or 21" "$found"
    fi
    [ -z "$lacks_influxd" ] || offered influxdb ||
        stop "InfluxDB 1.x is needed, but $system has no package influxdb; on Ubuntu enable the component universe, elsewhere put influxd on the PATH"
    [ -n "$packages" ] || return 0
    may_install || stop "$system lacks $reasons; type: sudo apt-get update && sudo apt-get install -y --no-install-recommends$packages"
    step "package lists" -- as_root apt-get update
    # a package must not start its service
    # shellcheck disable=SC2086
    step "install$packages" -- as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y --no-install-recommends $packages
}
show_what_is_missing() { # a system without apt-get
    say "bootstrap: $system has no apt-get. Install these, then run the same command again:"
    line() { say "$(printf '  %-31s %s' "$1" "$2")"; }
    [ -z "$lacks_python" ] || line "$pythons with venv" "Fedora: dnf install python3.${newest_first%% *}; Arch: pacman -S python"
    [ -z "$lacks_java" ] || line "Java 17 or 21" "Fedora: dnf install java-21-openjdk-headless; Arch: pacman -S jre21-openjdk-headless"
    [ -z "$lacks_influxd" ] || line "influxd of InfluxDB 1.x" "docs.influxdata.com/influxdb/v1/introduction/install; put it on the PATH"
    exit 1
}

# unpacked, not installed: needs no root and starts no service
unpack_influxdb() {
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download influxdb && dpkg -x ./influxdb_*.deb unpacked) || return 1
    "$folder/unpacked/usr/bin/influxd" version || return 1
    mkdir -p .local
    rm -rf .local/influxdb
    mv "$folder/unpacked" .local/influxdb
    rm -rf "$folder"
}

# -- virtual environment ----------------------------------------------------------------------------------------------
wanted=$(cat "$lock" pyproject.toml deploy/local/pip.txt | sha256sum | cut -d' ' -f1)
stamp=$venv/.installed-${lock%.txt}

# the stamp comes last: without it, one with an old pip or none would be taken for whole
make_venv() {
    "$python" -m venv --clear "$venv" &&
        "$venv/bin/python" -m pip install --require-hashes -r deploy/local/pip.txt && : >"$venv/.made"
}
venv_is_whole() { [ -f "$venv/.made" ] || ls "$venv"/.installed-* >/dev/null 2>&1; }

# uv is much faster, but does not read the user's pip configuration: pip is the fallback
install_requirements() {
    if command -v uv >/dev/null && uv pip install --python "$venv/bin/python" --require-hashes -r "$lock"; then
        uv pip install --quiet --python "$venv/bin/python" --no-deps -e . && return
    fi
    "$venv/bin/python" -m pip install --progress-bar raw --resume-retries 5 --require-hashes -r "$lock" &&
        "$venv/bin/python" -m pip install --no-deps -e .
}
# pyspark and pyspark-client own the same files: a change of version needs a new virtual environment
remember_spark() { sed -n 's/^\(pyspark[a-z-]*==[^ ]*\).*/\1/p' "$lock" | sort | sha256sum | cut -d' ' -f1; }
minor_of() { "$1" -c 'import sys; print(sys.version_info[1])'; }
venv_is_right() {
    [ -x "$venv/bin/python" ] && venv_is_whole && python_is_right "$venv/bin/python" &&
        { [ -z "${PYTHON:-}" ] || [ "$(minor_of "$PYTHON" 2>/dev/null)" = "$(minor_of "$venv/bin/python")" ]; } &&
        { [ ! -f "$venv/.spark" ] || [ "$(cat "$venv/.spark")" = "$(remember_spark)" ]; }
}
packages_are_there() { venv_is_right && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; }
jars_are_there() { "$venv/bin/python" -m twitter_topics.local.jars --check 2>/dev/null; }

# -- disk and memory ------------------------------------------------------------------------------------------------------
check_room() {
    # in a shell of its own, which a failed redirection of : ends
    (mkdir -p .local && : >.local/.writable && rm .local/.writable) 2>/dev/null ||
        stop "$(pwd) is not writable; clone the project into a folder of your own"
    free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
    [ "$free_mb" -ge "$1" ] ||
        stop "$(pwd) has $free_mb MB of free disk, $1 MB are needed; free some space, or clone the project on another disk"
    memory_mb=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null || echo 8000)
    [ "$memory_mb" -ge 6000 ] ||
        say "bootstrap: note: $memory_mb MB of memory are free, but the whole stack needs about 6000; close other programs first"
}

# -- one at a time ----------------------------------------------------------------------------------------------------
# two would run pip in the same virtual environment; macOS has no flock, and some network file systems have no locks
one_at_a_time() {
    (command -v flock && : >>.local/.bootstrap.lock) >/dev/null 2>&1 || return 0
    exec 9>>.local/.bootstrap.lock
    if flock -n 9; then return; fi
    say "bootstrap: waiting for another bootstrap"
    flock 9 || return 0
    rm -f "$report"
    exec sh deploy/local/bootstrap.sh "$@" # look again: that one has fetched what was missing
}

# -- main ----------------------------------------------------------------------------------------------------------
lacks_python=
lacks_java=
lacks_influxd=
if ! venv_is_right; then
    python=$(find_python python_works) || lacks_python=yes
    [ -z "$lacks_python" ] || [ -z "${PYTHON:-}" ] || stop "PYTHON=$PYTHON is not a $pythons with venv; correct or unset it"
fi
if ! java_works; then
    [ -z "${JAVA_HOME:-}" ] || stop "JAVA_HOME=$JAVA_HOME is not a Java 17 or 21; correct or unset it"
    lacks_java=yes
fi
influxd_is_there || lacks_influxd=yes

if [ -z "$lacks_python$lacks_java$lacks_influxd" ] && packages_are_there && jars_are_there; then
    say "bootstrap: everything is there, nothing to fetch"
    exit
fi
if packages_are_there; then check_room 1000; else check_room 5000; fi
one_at_a_time "$@"
if [ -n "$lacks_python$lacks_java$lacks_influxd" ]; then
    has_apt || show_what_is_missing
    read_package_lists
    install_what_is_missing
fi
[ -z "$lacks_influxd" ] || step "InfluxDB, 8 MB, unpacked into .local" -- unpack_influxdb
if ! venv_is_right; then
    python=$(find_python python_works) || no_python
    step "virtual environment with $("$python" -V 2>&1)" -- make_venv
fi
packages_are_there || {
    step "Python packages, 900 MB, half of it Spark" -- install_requirements
    remember_spark >"$venv/.spark"
    printf '%s' "$wanted" >"$stamp"
}
jars_are_there || step "Kafka, Elasticsearch, S3 server and Spark's connectors, 290 MB" -- "$venv/bin/python" -m twitter_topics.local.jars
