#!/bin/bash
# What runs under cron, or for ever in a loop: one metric per call, the host's name as a label.
# Usage: cron_loop.sh GATEWAY_URL [SECONDS_BETWEEN_ROUNDS [ROUNDS]]
# Prints the status of each push.
set -eu -o pipefail
gateway=$1
pause=${2:-5}
rounds=${3:-0}
host=$(hostname)

push() {
    echo "$1 $2" |
        curl --silent --show-error --max-time 10 --write-out '%{http_code}\n' \
            --data-binary @- "$gateway/metrics/job/$1/hostname/$host"
}

round=0
while [ "$rounds" -eq 0 ] || [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    push loop_rounds "$round"
    push memory_free_kilobytes "$(awk '/^MemFree:/ { print $2 }' /proc/meminfo)"
    push load_one_minute "$(cut -d " " -f 1 /proc/loadavg)"
    sleep "$pause"
done
