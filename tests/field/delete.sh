#!/bin/bash
# Deletes one group and shows the head of the answer.
# Usage: delete.sh GATEWAY_URL PATH_OF_THE_GROUP
set -eu
curl --silent --show-error --max-time 10 --dump-header - --output /dev/null --request DELETE "$1$2"
