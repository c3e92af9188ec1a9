"""Shakes hands with a TLS port: tls.py PORT VERSIONS [CERTIFICATE KEY]

VERSIONS is one version, `1.2`, or a range, `1.0-1.1`. Any server certificate is taken.
Prints one JSON object: {"version": "TLSv1.3", "cipher": ..., "name": common name that was served}, and "error" where
the server refused, then or right after the handshake.
"""

import json
import re
import socket
import ssl
import sys
import warnings

warnings.simplefilter("ignore")  # of versions that are old on purpose
port, versions, *identity = sys.argv[1:]
least, most = (versions.split("-") * 2)[:2]
version = lambda text: getattr(ssl.TLSVersion, "TLSv" + text.replace(".0", "").replace(".", "_"))

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.minimum_version, context.maximum_version = version(least), version(most)
if least < "1.2":
    context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL would not even try
if identity:
    context.load_cert_chain(*identity)

said = {}
try:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            said["version"], said["cipher"] = secure.version(), secure.cipher()[0]
            # Common names as they stand in DER: OID 2.5.4.3 and a short string; the subject's is the last.
            names = re.findall(rb"\x55\x04\x03[\x0c\x13](.)([ -~]*)", secure.getpeercert(binary_form=True), re.S)
            said["name"] = [text[: length[0]].decode() for length, text in names][-1]
            # In TLS 1.3 a client learns only by reading that its certificate is refused. Where it is taken, A-ABORT
            # comes: what is said is no DICOM.
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            secure.recv(4096)
except OSError as error:
    said["error"] = str(error)
print(json.dumps(said))
