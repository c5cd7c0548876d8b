"""Posts a registry by hand, to an address that ends in a slash, with `instance` in the body.

Usage: requests_post.py GATEWAY_URL
Prints the status of the push.
"""

import sys

import requests
from prometheus_client import CollectorRegistry, Gauge, generate_latest

registry = CollectorRegistry()
temperature = Gauge("room_temperature_celsius", "Temperature", ["instance"], registry=registry)
temperature.labels("10.0.0.1").set(21.5)
temperature.labels("10.0.0.2").set(19.25)
address = sys.argv[1] + "/metrics/job/test8/"
answer = requests.post(address, data=generate_latest(registry), timeout=10)
print(answer.status_code)
