"""A PACS that answers as it is told.

pacs.py PORT AE-TITLE [--statuses 0000,B000,...] [--tls CERTIFICATE KEY CA] [--syntaxes UID,...] [--store DIRECTORY]: prints
"ready PORT", the one it was given or, for 0, one that is free; then for each object a line "UID TRANSFER-SYNTAX STATUS" as
it is answered. Statuses are used in turn, the last one from then on. With --tls a client has to show a certificate of the
CA. Only these transfer syntaxes are taken, or all that pynetdicom knows. With --store the data set of each object is written
as it came, to UID.
"""

import argparse
import pathlib
import signal
import ssl

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification

options = argparse.ArgumentParser()
options.add_argument("port", type=int)
options.add_argument("title")
options.add_argument("--statuses", default="0000")
options.add_argument("--tls", nargs=3)
options.add_argument("--syntaxes")
options.add_argument("--store", type=pathlib.Path)
given = options.parse_args()

statuses = [int(status, 16) for status in given.statuses.split(",")]
syntaxes = given.syntaxes.split(",") if given.syntaxes else ALL_TRANSFER_SYNTAXES


def store(event):
    status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
    syntax = event.context.transfer_syntax
    if given.store:
        data_set = event.request.DataSet.getvalue()
        (given.store / event.request.AffectedSOPInstanceUID).write_bytes(data_set)
    print(event.request.AffectedSOPInstanceUID, syntax, f"{status:04X}", flush=True)
    return status


ae = AE(ae_title=given.title)
ae.require_called_aet = True
for context in AllStoragePresentationContexts:
    ae.add_supported_context(context.abstract_syntax, syntaxes)
ae.add_supported_context(Verification)
secure = None
if given.tls:
    certificate, key, ca = given.tls
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.verify_mode = ssl.CERT_REQUIRED
    secure.load_cert_chain(certificate, key)
    secure.load_verify_locations(ca)
server = ae.start_server(
    ("127.0.0.1", given.port), block=False, ssl_context=secure, evt_handlers=[(evt.EVT_C_STORE, store)]
)
print("ready", server.socket.getsockname()[1], flush=True)
signal.pause()
