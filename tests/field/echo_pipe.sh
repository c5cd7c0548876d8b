#!/bin/bash
# One metric per call, piped into curl: the shortest push there is.
# Usage: echo_pipe.sh GATEWAY_URL
# Prints the status of each push.
set -eu -o pipefail
gateway=$1
post="curl --silent --show-error --max-time 10 --write-out %{http_code}\n --data-binary @-"

echo "each_lab 222.2" | $post "$gateway/metrics/job/each_job11"
echo "each_lab 333.3" | $post "$gateway/metrics/job/each_job12/dc/north/rack/r7"

instance=$(hostname)
echo "each_lab 444.4" | $post "$gateway/metrics/job/each_job13/instance/$instance"
