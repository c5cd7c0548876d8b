"""Pushes and deletes with the official Python client.

Usage: push.py GATEWAY_URL push|add|delete [gzip]
"""

import sys

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Summary,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)

gateway, verb, *options = sys.argv[1:]
group = {
    "job": "python batch",
    "grouping_key": {"instance": "db 1", "path": "/var/tmp", "stadt": "Köln", "shard": ""},
}
more = {"compression": "gzip"} if "gzip" in options else {}
registry = CollectorRegistry()

if verb == "push":
    Gauge("batch_last_success_unixtime", "Last success", registry=registry).set(1.5e9)
    rows = Counter("batch_rows", "Rows by table", ["table"], registry=registry)
    rows.labels("orders").inc(12)
    rows.labels('users "new"\n').inc(3)
    steps = Histogram("batch_step_seconds", "Steps", buckets=(0.1, 1, 10), registry=registry)
    steps.observe(0.5)
    steps.observe(5)
    Summary("batch_size_bytes", "Sizes", registry=registry).observe(2048)
    Info("batch_build", "Version", registry=registry).info({"version": "1.2"})
    push_to_gateway(gateway, registry=registry, **group, **more)
elif verb == "add":
    Gauge("batch_retries", "Retries", registry=registry).set(2)
    pushadd_to_gateway(gateway, registry=registry, **group, **more)
elif verb == "delete":
    delete_from_gateway(gateway, **group)
else:
    sys.exit(__doc__)
