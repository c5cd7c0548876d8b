"""Reads a JSON list of documents from standard input and prints, for each, what the official
parser makes of it: null if it refuses, else its families as name, help and samples.

A sample is [name, labels, value, exemplar, whether it has a timestamp], an exemplar
[labels, value, timestamp]; numbers are strings. Sums and counts that are not there are filled in
as the gateway does.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

FILLED = {
    "summary": ("_count", "_sum"),
    "histogram": ("_count", "_sum"),
    "gaugehistogram": ("_gcount", "_gsum"),
}


def number(value):
    value = float(value)
    return "nan" if value != value else (value + 0.0).hex()


def exemplar(found):
    if found is None:
        return None
    time = None if found.timestamp is None else float(found.timestamp)
    return [sorted(found.labels.items()), number(found.value), time]


def sample(family, found):
    labels = dict(found.labels)
    special = "quantile" if family.type == "summary" and found.name == family.name else "le"
    if special == "quantile" or family.type.endswith("histogram") and special in labels:
        labels[special] = number(labels[special])
    # Times are kept in nanoseconds, which is not every bit of a double.
    is_time = family.type in ("counter", "summary", "histogram") and found.name.endswith("_created")
    return [
        found.name,
        sorted(labels.items()),
        number(round(found.value, 6) if is_time else found.value),
        exemplar(found.exemplar),
        found.timestamp is not None,
    ]


def filled(family, samples):
    count, total = FILLED.get(family.type, (None, None))
    if count is None:
        return
    series = {}
    for name, labels, value, *_ in samples:
        special = ("le",) if name.endswith("_bucket") else ("quantile",) if name == family.name else ()
        key = tuple((k, v) for k, v in labels if k not in special)
        suffix = name[len(family.name) :]
        given = series.setdefault(key, {})
        given[suffix] = value
    for key, given in series.items():
        missing = [(total, number(0)), (count, given.get("_bucket", number(0)))]
        for suffix, value in missing:
            if suffix not in given:
                samples.append([family.name + suffix, list(key), value, None, False])


def read(document):
    try:
        families = list(text_string_to_metric_families(document))
    except Exception:
        return None
    out = []
    for family in families:
        if family.samples:
            samples = [sample(family, found) for found in family.samples]
            filled(family, samples)
            out.append([family.type, family.name, family.documentation.lstrip(" "), samples])
    return out


json.dump([read(document) for document in json.load(sys.stdin)], sys.stdout)
