"""Reads audit messages, one a line, and says which are not as the schema wants them."""

import pathlib
import sys

from lxml import etree

schema = etree.RelaxNG(etree.parse(str(pathlib.Path(__file__).with_suffix(".rng"))))
wrong = 0
for number, line in enumerate(sys.stdin.buffer, 1):
    document = etree.fromstring(line.strip())
    if not schema.validate(document):
        wrong += 1
        print(f"message {number}: {schema.error_log.last_error}: {line.decode()}")
print(f"{wrong} wrong")
sys.exit(1 if wrong else 0)
