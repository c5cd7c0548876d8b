"""Prints what a URL answers with gzip."""

import gzip
import sys
import urllib.request

request = urllib.request.Request(sys.argv[1], headers={"Accept-Encoding": "gzip"})
with urllib.request.urlopen(request) as answer:
    if answer.headers["Content-Encoding"] != "gzip":
        sys.exit("the answer was not compressed")
    sys.stdout.buffer.write(gzip.decompress(answer.read()))
