"""Prints what pynetdicom and pydicom know, as JSON: {"storage": [UID, ...], "syntaxes": [UID, ...]}."""

import json

from pydicom.uid import AllTransferSyntaxes
from pynetdicom import sop_class

storage = sorted({str(uid) for uid in sop_class._STORAGE_CLASSES.values()})
print(json.dumps({"storage": storage, "syntaxes": [str(uid) for uid in AllTransferSyntaxes]}))
