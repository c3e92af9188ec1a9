"""What becomes of presentation contexts.

negotiate.py negotiate PORT CALLED-AE-TITLE [CLASS]: reads [["SOP class", ["transfer syntax", ...]], ...] from standard
input, proposes each as a context of its own, 128 to an association, and prints [[result, "transfer syntax" or null], ...].
CLASS is declared to be of the Storage service class (PS3.7 D.3.3.6).
negotiate.py known: prints the SOP classes and transfer syntaxes that pynetdicom knows.
"""

import json
import sys
import warnings

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts
from pynetdicom.pdu_primitives import SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import build_context

warnings.simplefilter("ignore")  # of UIDs that nobody knows

MOST_CONTEXTS = 128
STORAGE_SERVICE_CLASS = "1.2.840.10008.4.2"


def declaration(sop_class):
    item = SOPClassCommonExtendedNegotiation()
    item.sop_class_uid = sop_class
    item.service_class_uid = STORAGE_SERVICE_CLASS
    return item


def negotiate(proposed, port, called, *declared):
    ae = AE(ae_title="PYTHON")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    ae.requested_contexts = [build_context(sop_class, syntaxes) for sop_class, syntaxes in proposed]
    association = ae.associate("127.0.0.1", int(port), ae_title=called, ext_neg=[declaration(c) for c in declared])
    # Without an accepted context pynetdicom aborts what it asked for.
    answered = association.accepted_contexts + association.rejected_contexts
    if association.is_established:
        association.release()
    elif not answered:
        sys.exit("no association")
    answered.sort(key=lambda context: context.context_id)
    return [[c.result, str(c.transfer_syntax[0]) if c.result == 0 else None] for c in answered]


if sys.argv[1] == "known":
    said = {
        "classes": [str(c.abstract_syntax) for c in AllStoragePresentationContexts],
        "syntaxes": [str(s) for s in ALL_TRANSFER_SYNTAXES],
    }
else:
    proposed, said = json.load(sys.stdin), []
    for first in range(0, len(proposed), MOST_CONTEXTS):
        said += negotiate(proposed[first : first + MOST_CONTEXTS], *sys.argv[2:])
print(json.dumps(said))
