"""Sends Part 10 files over one association: store.py [--tls VERSION CA CERTIFICATE KEY] PORT CALLED-AE-TITLE FILE...

Over TLS it speaks that version only (1.2 or 1.3), takes what the CA has signed for localhost, and shows the certificate.
Each file goes in its own transfer syntax, and its data set as it lies in the file: nothing is decoded on the way.
Prints one JSON object: {"statuses": ["0000", ...]}, "----" for a context not accepted,
"aborted" when the association is gone, or {"result": 1, "source": 1, "reason": 7} for a rejected association.
"""

import json
import ssl
import sys
import warnings

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, evt
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.presentation import build_context

warnings.simplefilter("ignore")  # of UIDs that are wrong on purpose
_config.STORE_SEND_CHUNKED_DATASET = True


def tls(version, ca, certificate, key):
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
    context.load_cert_chain(certificate, key)
    return context, "localhost"


arguments = sys.argv[1:]
tls_args = None
if arguments[0] == "--tls":
    tls_args, arguments = tls(*arguments[1:5]), arguments[5:]
port, called, *files = arguments
metas = [read_file_meta_info(file) for file in files]
pairs = sorted({(str(m.MediaStorageSOPClassUID), str(m.TransferSyntaxUID)) for m in metas})

ae = AE(ae_title="PYTHON")
ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
# One context for each pair, so that the acceptor has no choice of syntax.
ae.requested_contexts = [build_context(sop_class, syntax) for sop_class, syntax in pairs]
# pynetdicom sometimes calls an association aborted that was rejected: what counts is the PDU that came.
rejections = []
on_pdu = lambda event: isinstance(event.pdu, A_ASSOCIATE_RJ) and rejections.append(event.pdu)
handlers = [(evt.EVT_PDU_RECV, on_pdu)]
association = ae.associate(
    "127.0.0.1", int(port), ae_title=called, max_pdu=131072, evt_handlers=handlers, tls_args=tls_args
)
if rejections:
    answer = rejections[0]
    said = {"result": answer.result, "source": answer.source, "reason": answer.reason_diagnostic}
elif not association.is_established:
    sys.exit("no association: aborted or not connected")
else:
    # Nothing is asked of us, so the association's own thread need not look for requests: now and then it would take the
    # response that the sender waits for.
    get_message = association.dimse.get_msg
    association.dimse.get_msg = lambda block=False: get_message(block) if block else (None, None)
    statuses = []
    for file in files:
        try:
            status = association.send_c_store(file)
        except ValueError:
            statuses.append("----")
        except RuntimeError:  # the association is gone
            statuses.append("aborted")
        else:
            statuses.append(f"{status.Status:04X}" if "Status" in status else "none")
    association.release()
    said = {"statuses": statuses}
print(json.dumps(said))
