"""Pushes and deletes with the official Python client.

Usage: python_client.py GATEWAY_URL push|pushadd|delete
`push` and `pushadd` write to the same group, but not the same metrics.
"""

import sys

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)

gateway, verb = sys.argv[1:]
group = {"job": "python_batch", "grouping_key": {"instance": "db 1", "path": "/var/tmp", "shard": ""}}
registry = CollectorRegistry()

if verb == "push":
    Gauge("batch_last_success_unixtime", "Last success", registry=registry).set(1.5e9)
    rows = Counter("batch_rows", "Rows by table", ["table"], registry=registry)
    rows.labels("orders").inc(12)
    rows.labels("users").inc(3)
    duration = Histogram("batch_step_seconds", "Steps", buckets=(0.1, 1, 10), registry=registry)
    duration.observe(0.5)
    duration.observe(5)
    Summary("batch_size_bytes", "Sizes", registry=registry).observe(2048)
    push_to_gateway(gateway, registry=registry, **group)
elif verb == "pushadd":
    Gauge("batch_retries", "Retries", registry=registry).set(2)
    Gauge("batch_last_success_unixtime", "Last success", registry=registry).set(1.6e9)
    pushadd_to_gateway(gateway, registry=registry, **group)
elif verb == "delete":
    delete_from_gateway(gateway, **group)
else:
    sys.exit(__doc__)
