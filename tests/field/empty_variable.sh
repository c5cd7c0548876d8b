#!/bin/bash
# A script in which the command that should have found the value printed nothing.
# Usage: empty_variable.sh GATEWAY_URL
# Prints the answer's body, then its status.
set -eu -o pipefail
label="count_netstat_wait_connections"
count=$(grep -c never-there /dev/null | grep 1 || true)
{
    echo "# TYPE $label gauge"
    echo "$label $count"
} |
    curl --silent --show-error --max-time 10 --write-out '%{http_code}\n' \
        --data-binary @- "$1/metrics/job/netstat/instance/web01"
