#!/bin/bash
# Two heredocs as they stand inside an indented function: every line begins with four spaces.
# Usage: heredoc.sh GATEWAY_URL
# Prints the status of each push.
set -eu -o pipefail
gateway=$1

push() {
    curl --silent --show-error --max-time 10 --write-out '%{http_code}\n' --data-binary @- "$1"
}

type_first() {
    cat <<EOF | push "$gateway/metrics/job/type_first/instance/web01"
    # TYPE order_count counter
    # HELP order_count 每个渠道的订单数量
    order_count{channel="app",city="上海"} 42
    order_count{channel="web",city="上海"} 17
    order_count{channel="web",city="北京"} 8
    # TYPE disk_used_ratio gauge
    disk_used_ratio{mount="/"} 0.42
    disk_used_ratio{mount="/var"} 0.9
EOF
}

help_first() {
    cat <<EOF | push "$gateway/metrics/job/help_first"
    # HELP refund_count 退款数量
    # TYPE refund_count counter
    refund_count{channel="app"} 3
    refund_count{channel="web"} 5
EOF
}

type_first
help_first
