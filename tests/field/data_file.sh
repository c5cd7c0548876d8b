#!/bin/bash
# Pushes a file that another program has written.
# Usage: data_file.sh GATEWAY_URL FILE
# Prints the status of the push.
set -eu
curl --silent --show-error --max-time 10 --write-out '%{http_code}\n' \
    --data-binary "@$2" "$1/metrics/job/file/instance/batch01"
