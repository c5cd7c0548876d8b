#!/bin/sh
# Runs a command, as a line of a crontab does, and pushes how it went.
#
#   15 2 * * *  TIDEGATE_URL=http://gateway:9091 cron-push.sh backup /usr/local/bin/backup --full
#
# Pushed to the group {job="backup", instance="<host name>"}:
#   cron_duration_seconds                      how long the command ran, in whole seconds
#   cron_exit_code                             what it exited with
#   cron_finished_timestamp_seconds            when it ended
#   cron_last_success_timestamp_seconds        when it last ended with exit code 0
#
# The exit code is the command's own. A push that fails is reported on standard error, which
# cron mails, and changes nothing else: a gateway that is away must not fail the job.
#
# Settings, all by environment:
#   TIDEGATE_URL   the gateway's address (http://127.0.0.1:9091)
#   TIDEGATE_TTL   how long the gateway keeps the group after this push, as 2d (its own default)
set -eu

usage="usage: cron-push.sh JOB COMMAND [ARGUMENT...]"
if [ "$#" -lt 2 ]; then
    echo "$usage" >&2
    exit 64
fi
job=$1
shift
case $job in
'' | *[!A-Za-z0-9_.-]*)
    echo "cron-push.sh: a job's name is made of letters, digits, '_', '.' and '-', not \"$job\"" >&2
    exit 64
    ;;
esac
gateway=${TIDEGATE_URL:-http://127.0.0.1:9091}
host=$(hostname)

began=$(date +%s)
status=0
"$@" || status=$?
ended=$(date +%s)

metrics() {
    cat <<EOF
# HELP cron_duration_seconds How long the last run took.
# TYPE cron_duration_seconds gauge
cron_duration_seconds $((ended - began))
# HELP cron_exit_code Exit code of the last run.
# TYPE cron_exit_code gauge
cron_exit_code $status
# HELP cron_finished_timestamp_seconds Unix time at which the last run ended.
# TYPE cron_finished_timestamp_seconds gauge
cron_finished_timestamp_seconds $ended
EOF
    # Left out after a failure. The push is a POST, which leaves the metrics it does not name as
    # they are, so the time of the last success stays.
    if [ "$status" -eq 0 ]; then
        cat <<EOF
# HELP cron_last_success_timestamp_seconds Unix time at which a run last succeeded.
# TYPE cron_last_success_timestamp_seconds gauge
cron_last_success_timestamp_seconds $ended
EOF
    fi
}

push() {
    # curl tries again when the gateway cannot be reached or answers that it is not ready (503),
    # and not when it refuses the push (400).
    curl --fail --silent --show-error --max-time 10 \
        --retry 3 --retry-delay 1 --retry-max-time 30 --retry-connrefused \
        --data-binary @- "$@" "${gateway%/}/metrics/job/$job/instance/$host"
}

if [ -n "${TIDEGATE_TTL:-}" ]; then
    set -- --header "Tidegate-TTL: $TIDEGATE_TTL"
else
    set --
fi
metrics | push "$@" || echo "cron-push.sh: nothing was pushed to $gateway for job $job" >&2
exit "$status"
