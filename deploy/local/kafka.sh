#!/bin/sh
# kafka.sh DATA LIB JAVA: run the broker in the foreground. Formats its storage the first time.
set -eu
data=$1 lib=$2 java=$3
here=$(cd "$(dirname "$0")" && pwd)
log4j=-Dlog4j2.configurationFile=$here/kafka.log4j2.properties

if [ ! -f "$data/kraft/meta.properties" ]; then
    id=$("$java" -cp "$lib/*" kafka.tools.StorageTool random-uuid)
    "$java" -Xmx128m "$log4j" -cp "$lib/*" kafka.tools.StorageTool format --standalone -t "$id" -c "$data/kafka.properties"
fi
exec "$java" -Xms128m -Xmx512m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:+ExitOnOutOfMemoryError \
    -Djava.awt.headless=true "$log4j" -cp "$lib/*" kafka.Kafka "$data/kafka.properties"
