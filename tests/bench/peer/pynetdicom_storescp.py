"""Receives MR images and writes them as Part 10 files, undecoded: pynetdicom_storescp.py PORT DIRECTORY."""

import sys
from pathlib import Path

from pynetdicom import AE, evt
from pynetdicom.sop_class import MRImageStorage, Verification

port, directory = int(sys.argv[1]), Path(sys.argv[2])


def store(event):
    (directory / event.request.AffectedSOPInstanceUID).write_bytes(event.encoded_dataset())
    return 0x0000


ae = AE(ae_title="STORESCP")
ae.maximum_pdu_size = 131072
ae.maximum_associations = 1000
ae.add_supported_context(MRImageStorage)
ae.add_supported_context(Verification)
ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])
