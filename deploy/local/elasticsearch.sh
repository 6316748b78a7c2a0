#!/bin/sh
# elasticsearch.sh DATA DISTRIBUTION JAVA_HOME: run the node in the foreground.
set -eu
data=$1 distribution=$2 java_home=$3

mkdir -p "$data/conf/jvm.options.d" "$data/data" "$data/logs" "$data/tmp"
cp "$distribution/config/jvm.options" "$distribution/config/log4j2.properties" "$data/conf/"

set -- env -i PATH="$PATH" LC_ALL="${LC_ALL:-C.UTF-8}" HOME="$data" HOSTNAME=localhost TWITTER_TOPICS_STACK="${TWITTER_TOPICS_STACK:-}" \
    ES_JAVA_HOME="$java_home" ES_PATH_CONF="$data/conf" ES_TMPDIR="$data/tmp" "$distribution/bin/elasticsearch"

# Elasticsearch does not run as root. A user namespace gives it another uid and keeps our access to the files. Where
# containers forbid that, run it as "nobody" with the one capability that allows reading and writing them (the secure
# bit makes access(2) honour that capability).
if [ "$(id -u)" = 0 ]; then
    if unshare --user --map-user=1000 --map-group=1000 true 2>/dev/null; then
        set -- unshare --user --map-user=1000 --map-group=1000 "$@"
    else
        set -- setpriv --reuid=65534 --regid=65534 --clear-groups --securebits=+no_setuid_fixup \
            --inh-caps=-all,+dac_override --ambient-caps=-all,+dac_override "$@"
    fi
fi
exec "$@"
