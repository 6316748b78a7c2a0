#!/bin/sh
# Output of bootstrap.sh: one line per step, with progress while it runs, and a fix when it fails. Sourced.

say() { printf '%s\n' "$*" >&2; }
stop() { say "bootstrap: $*"; exit 1; }
now() { date +%s; }

report=$(mktemp)
watcher=
trap 'end_watch; rm -f "$report"' EXIT
trap 'exit 130' INT TERM
end_watch() {
    [ -n "$watcher" ] || return 0
    kill -KILL "$watcher" 2>/dev/null || : # TERM is lost while the shell is still forking
    wait "$watcher" 2>/dev/null || :
    watcher=
}

# step WORDS… -- COMMAND…: run the command; show its progress, then its duration; its output only if it fails
step() {
    words=
    while [ "$1" != -- ]; do words="$words $1"; shift; done
    shift
    words=${words# }
    began=$(now)
    : >"$report"
    watch_step "$words" &
    watcher=$!
    if "$@" >>"$report" 2>&1 </dev/null; then
        end_watch
        printf '%s%4s s  %s\n' "$(clear_line)" "$(($(now) - began))" "$words" >&2
        return
    fi
    end_watch
    printf '%s' "$(clear_line)" >&2
    grep -v '^Progress ' "$report" | tail -n 20 >&2
    stop "failed: $words
$(way_out)"
}

clear_line() { if [ -t 2 ]; then printf '\r\033[K'; fi; }

# on a terminal a line updated every second; in a log a line every half minute
watch_step() {
    lasted=0
    while :; do
        if [ -t 2 ]; then
            printf '\r\033[K  ..  %s %s' "$1" "$(progress | cut -c 1-70)" >&2
        elif [ $((lasted % 30)) = 29 ]; then
            printf '  ..  %s %s\n' "$1" "$(progress)" >&2
        fi
        sleep 1 >/dev/null 2>&1
        lasted=$((lasted + 1))
    done
}

# the newest progress line of pip, uv or our own downloader
progress() {
    tail -c 20000 "$report" 2>/dev/null | tr '\r' '\n' | awk '
        /^ *Downloading [^ ]+ \(/ { what = $2; sub(".*/", "", what); size = $3 " " $4; gsub("[()]", "", size); line = what " " size }
        /^ *Building wheel for |^ *Building / { line = $0; sub("^ +", "", line); sub(" *\\(.*", "", line); line = line ", a minute" }
        /^Progress [0-9]+ of [0-9]+/ { line = sprintf("%s %d of %d MB", what, $2 / 1e6, $4 / 1e6) }
        /^Installing collected packages/ { line = "installing" }
        / of [0-9]+ MB$/ { line = $0 }
        END { if (line != "") print "· " line }'
}

# the fix for the failure in the report
way_out() {
    said() { grep -qiE "$1" "$report"; }
    if said 'no space left on device'; then
        echo "the disk is full; free some space and run the same command again; completed downloads are kept"
    elif said 'ProxyError|proxy (error|connection|authentication)|tunnel connection failed'; then
        echo "the proxy does not answer or rejects the connection; correct or unset HTTPS_PROXY and HTTP_PROXY"
    elif said 'certificate.verify|SSLError|UnknownIssuer|PKIX path'; then
        echo "a server's certificate is not trusted; behind a company proxy set PIP_CERT, SSL_CERT_FILE and REQUESTS_CA_BUNDLE to its CA file"
    elif said 'do not match the hashes|not the locked file|hash mismatch'; then
        echo "a download differs from the lock; a mirror or proxy alters files: use another one"
    elif said 'failure (in name )?resol|name or service not known|could not (resolve|connect)|failed to lookup address|dns error|network is unreachable|no route to host|connection (refused|reset)|timed out|NewConnectionError|ConnectTimeout|no matching distribution'; then
        proxy=${HTTPS_PROXY:-${https_proxy:-${HTTP_PROXY:-${http_proxy:-}}}}
        echo "the network or the package index is unreachable; check the connection${proxy:+ and the proxy that HTTPS_PROXY or HTTP_PROXY names}, then run the same command again; it resumes where it stopped"
    elif said 'could not get lock|dpkg was interrupted'; then
        echo "another package manager is running or was interrupted; wait for it, or type: sudo dpkg --configure -a"
    elif said 'read-only file system|permission denied'; then
        echo "a folder is not writable; make $(pwd) and your home folder writable"
    else
        echo "see the last lines of its output above; fix that and run the same command again"
    fi
}
