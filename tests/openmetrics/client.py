"""Pushes one metric of every type as OpenMetrics with the official Python client, scrapes the
gateway, and prints every sample that did not come out with its name, labels, type and value.

Usage: client.py GATEWAY_ADDRESS
"""

import math
import sys
import urllib.request

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.core import GaugeHistogramMetricFamily, UnknownMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.parser import text_string_to_metric_families

gateway = sys.argv[1]
registry = CollectorRegistry()

requests = Counter("requests", 'Requests "by" code\\path', ["code"], registry=registry)
requests.labels("200").inc(7, exemplar={"trace_id": "4bf92f", "span": "a \"b\""})
requests.labels("50\n0").inc(0.5)
Gauge("temperature_celsius", "", unit="celsius", registry=registry).set(-40.25)
latency = Histogram("latency_seconds", "Latency", ["path"], buckets=(0.1, 1, 10), registry=registry)
latency.labels("/").observe(0.5, exemplar={"trace_id": "5bf92f"})
latency.labels("/").observe(20)
latency.labels("/ü").observe(0.01)
# Without _sum and _count, as its sum may fall.
Histogram("delta", "Below zero", buckets=(-1, 1), registry=registry).observe(-3)
Info("build", "Build", registry=registry).info({"version": "1.2", "os": "linux"})
Enum("mode", "Mode", states=["off", "on"], registry=registry).state("on")
size = Summary("size_bytes", "Size", registry=registry)
size.observe(-2048)
size.observe(1)
Summary("broken", "A NaN", registry=registry).observe(float("nan"))


class Plain:
    def collect(self):
        odd = UnknownMetricFamily("odd", "Nobody knows")
        odd.add_metric([], 1e300)
        yield odd
        yield GaugeHistogramMetricFamily(
            "depth", "Depth", buckets=[("1.0", 1), ("+Inf", 3)], gsum_value=-2
        )


registry.register(Plain())

request = urllib.request.Request(
    f"http://{gateway}/metrics/job/om",
    data=generate_latest(registry),
    headers={"Content-Type": CONTENT_TYPE_LATEST},
    method="PUT",
)
with urllib.request.urlopen(request) as answer:
    assert answer.status == 200

TYPES = {"info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram", "unknown": "unknown"}
NAMES = {"_gcount": "_count", "_gsum": "_sum"}


def shown_name(name):
    for theirs, ours in NAMES.items():
        if name.endswith(theirs):
            return name[: -len(theirs)] + ours
    return name


wanted = {}
for family in registry.collect():
    for sample in family.samples:
        if not sample.name.endswith("_created"):
            labels = {**sample.labels, "job": "om", "instance": ""}
            if "le" in labels:
                labels["le"] = float(labels["le"])
            key = (shown_name(sample.name), tuple(sorted(labels.items())))
            wanted[key] = (TYPES.get(family.type, family.type), family.documentation, sample.value)
assert len(wanted) > 25

with urllib.request.urlopen(f"http://{gateway}/metrics") as answer:
    text = answer.read().decode()
found = {}
for family in text_string_to_metric_families(text):
    for sample in family.samples:
        labels = dict(sample.labels)
        if "le" in labels:
            labels["le"] = float(labels["le"])
        key = (sample.name, tuple(sorted(labels.items())))
        found[key] = (family.type, family.documentation, sample.value)


def same(left, right):
    if left is None or right is None:
        return False
    values = math.isnan(left[2]) and math.isnan(right[2]) or left[2] == right[2]
    return left[:2] == right[:2] and values


for key, value in wanted.items():
    if not same(value, found.get(key)):
        print(key, "pushed", value, "scraped", found.get(key))
