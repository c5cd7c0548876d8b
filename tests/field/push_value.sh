#!/bin/bash
# Pushes whatever value it is given, checked by nobody.
# Usage: push_value.sh GATEWAY_URL JOB VALUE
# Prints the answer's body, then its status.
set -eu -o pipefail
echo "queue_length $3" |
    curl --silent --show-error --max-time 10 --write-out '%{http_code}\n' \
        --data-binary @- "$1/metrics/job/$2"
