"""Storage commitment from either side, with AE title PYTHON.

commit.py ask PORT CALLED LISTEN MODE CLASS INSTANCE [CLASS INSTANCE ...]
    Asks for storage commitment and waits for the answer. MODE: `same`, over the association that asked; `new`, after its
    release, over one that comes to port LISTEN; `late`, the same, but nobody listens before there is a file `listen` in the
    working directory; `busy`, answers with 0110 the report over the association that asked, and the first that comes to
    port LISTEN. Prints one JSON object: {"status": "0000"} and what was answered:
    {"transaction": UID, "asked": UID, "event": 1, "committed": [UID], "failed": {UID: "0112"}, "over": "same", "caller": AE}.

commit.py archive LISTEN MODE [NODE-PORT NODE-TITLE]
    Takes objects and requests, and prints a line for each thing that happens. MODE: `same`, answers over the same
    association; `new`, over one of its own to NODE-PORT; `half`, the same, and says of the first object that it has none;
    `lies`, of its own, for a Transaction UID that nobody gave; `silent`, never answers;
    `refuses`, answers the request with 0122; `none`, knows nothing of storage commitment.

With CERTIFICATE, KEY and CA in the environment either speaks TLS only, shows that certificate and wants to see one of that CA.
"""

import json
import os
import ssl
import sys
import threading
import time

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, StoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel as Push
from pynetdicom.sop_class import Verification

INSTANCE = "1.2.840.10008.1.20.1.1"


def say(**what):
    print(json.dumps(what), flush=True)


def node_as(title="PYTHON"):
    ae = AE(ae_title=title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    return ae


def secure(protocol):
    if "CERTIFICATE" not in os.environ:
        return None
    context = ssl.SSLContext(protocol)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(os.environ["CERTIFICATE"], os.environ["KEY"])
    context.load_verify_locations(os.environ["CA"])
    return context


def associate(ae, port, **more):
    context = secure(ssl.PROTOCOL_TLS_CLIENT)
    return ae.associate("127.0.0.1", int(port), tls_args=context and (context, "localhost"), **more)


def listen_as(ae, port, handlers):
    context = secure(ssl.PROTOCOL_TLS_SERVER)
    return ae.start_server(("127.0.0.1", int(port)), block=False, ssl_context=context, evt_handlers=handlers)


def read(event, over):
    info = event.event_information
    calling = event.assoc.requestor.ae_title if over == "new" else event.assoc.acceptor.ae_title
    return {
        "transaction": str(info.TransactionUID),
        "event": event.event_type,
        "committed": [str(item.ReferencedSOPInstanceUID) for item in info.get("ReferencedSOPSequence", [])],
        "failed": {
            str(item.ReferencedSOPInstanceUID): f"{item.FailureReason:04X}"
            for item in info.get("FailedSOPSequence", [])
        },
        "over": over,
        "caller": calling.strip(),
    }


def references(pairs):
    items = []
    for sop_class, instance in pairs:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        items.append(item)
    return items


def ask(port, called, listen, mode, *rest):
    heard, refusals = {}, ["same", "new"] if mode == "busy" else []
    # Reports so far, and the associations whose last one has no response on the wire yet.
    changed, reports, unanswered = threading.Condition(), [], set()

    def on_report(over):
        def handle(event):
            with changed:
                unanswered.add(id(event.assoc))
                if over in refusals:
                    refusals.remove(over)
                    reports.append("refused")
                    return 0x0110, None
                heard.update(read(event, over))
                reports.append("taken")
                return 0x0000, None

        return handle

    def on_sent(event):
        if type(event.pdu).__name__ == "P_DATA_TF":
            with changed:
                unanswered.discard(id(event.assoc))
                changed.notify_all()

    def wait_for(what):
        with changed:
            changed.wait_for(lambda: what() and not unanswered, 30)

    def serve():
        ae = node_as()
        ae.add_supported_context(Push, scu_role=False, scp_role=True)
        return listen_as(ae, listen, [(evt.EVT_N_EVENT_REPORT, on_report("new")), (evt.EVT_PDU_SENT, on_sent)])

    server = serve() if mode in ("new", "busy") else None
    ae = node_as()
    ae.add_requested_context(Push)
    handlers = [(evt.EVT_N_EVENT_REPORT, on_report("same")), (evt.EVT_PDU_SENT, on_sent)]
    association = associate(ae, port, ae_title=called, evt_handlers=handlers)
    if not association.is_established:
        sys.exit("no association")
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = references(zip(rest[::2], rest[1::2]))
    status, _ = association.send_n_action(request, 1, Push, INSTANCE)
    if mode in ("same", "busy"):
        wait_for(lambda: reports)
    association.release()
    if mode == "late":
        say(asked=str(request.TransactionUID), status=f"{status.Status:04X}")
        end = time.monotonic() + 60
        while not os.path.exists("listen"):
            if time.monotonic() > end:
                sys.exit("nobody said that it is time to listen")
            time.sleep(0.05)
        server = serve()
    wait_for(lambda: "taken" in reports)
    if server:
        server.shutdown()
    say(**{"status": f"{status.Status:04X}", "asked": str(request.TransactionUID), **heard})


def archive(listen, mode, node_port="0", node_title=""):
    def answer(association, request):
        report, event_type = Dataset(), 1
        report.TransactionUID = request.TransactionUID if mode != "lies" else generate_uid()
        items = list(request.ReferencedSOPSequence)
        if mode == "half":
            failed, items, event_type = items[0], items[1:], 2
            failed.FailureReason = 0x0112
            report.FailedSOPSequence = [failed]
        if items:
            report.ReferencedSOPSequence = items
        status, _ = association.send_n_event_report(report, event_type, Push, INSTANCE)
        say(reported=f"{status.Status:04X}" if "Status" in status else "none")

    def report_anew(request):
        ae = node_as("ARCHIVE")
        ae.add_requested_context(Push)
        role = build_role(Push, scu_role=False, scp_role=True)
        association = associate(ae, node_port, ae_title=node_title, ext_neg=[role])
        if not association.is_established:
            return say(reported="no association")
        answer(association, request)
        association.release()

    def on_action(event):
        request = event.action_information
        say(asked=len(request.ReferencedSOPSequence), transaction=str(request.TransactionUID))
        if mode == "refuses":
            return 0x0122, None
        # Behind the response to the N-ACTION.
        if mode == "same":
            threading.Timer(0.5, answer, (event.assoc, request)).start()
        elif mode != "silent":
            threading.Timer(0.5, report_anew, (request,)).start()
        return 0x0000, None

    def on_store(event):
        say(stored=str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    ae = node_as("ARCHIVE")
    ae.supported_contexts = StoragePresentationContexts
    ae.add_supported_context(Verification)
    if mode != "none":
        ae.add_supported_context(Push)
    handlers = [(evt.EVT_N_ACTION, on_action), (evt.EVT_C_STORE, on_store)]
    server = listen_as(ae, listen, handlers)
    say(listening=int(listen))
    threading.Event().wait()
    server.shutdown()


{"ask": ask, "archive": archive}[sys.argv[1]](*sys.argv[2:])
