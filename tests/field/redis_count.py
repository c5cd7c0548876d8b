"""Pushes the number of keys of a Redis server by a heredoc piped into curl.

Usage: redis_count.py GATEWAY_URL REDIS_SOCKET
Prints the status of the push.
"""

import subprocess
import sys

gateway, redis_socket = sys.argv[1:]
answer = subprocess.check_output(["redis-cli", "-s", redis_socket, "DBSIZE"], text=True)
count = int(answer)

command = f"""cat <<EOF | curl -sS -m 10 -w '%{{http_code}}\\n' --data-binary @- {gateway}/metrics/job/redis/instance/cache01
    # TYPE redis_keys gauge
    # HELP redis_keys Redis 键的数量
    redis_keys{{db="0"}} {count}
EOF
"""
subprocess.run(command, shell=True, check=True)
