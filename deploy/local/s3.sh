#!/bin/sh
# s3.sh DATA JAR JAVA: run the S3 server in the foreground.
set -eu
data=$1 jar=$2 java=$3

# A kill during a PUT leaves KEY-<uuid> next to the object, where it would be listed. Multipart uploads do not survive a
# restart and leave .mpus-*. Delete both before serving; so no key of ours may end in a uuid.
mkdir -p "$data/buckets"
find "$data/buckets" -type f -regextype posix-extended \
    \( -name '.mpus-*' -o -regex '.*-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' \) -print -delete

export LOG_LEVEL=warn
# plain PUTs are buffered in memory: S3A's 16 MB parts need the 512 MB
exec "$java" -Xms32m -Xmx512m -XX:+UseSerialGC \
    -Dlogback.statusListenerClass=ch.qos.logback.core.status.NopStatusListener -jar "$jar" --properties "$data/s3proxy.conf"
