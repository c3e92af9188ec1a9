"""A DICOMweb server that stores nothing: whoever shows a certificate of the CA and the token "secret-1" is told
that it did.

web.py PORT CERTIFICATE KEY CA: prints "ready", then for each request "METHOD PATH AUTHORIZATION NAME", where NAME is the common
name of the client's certificate.
"""

import http.server
import io
import json
import ssl
import sys

import pydicom

port, certificate, key, ca = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        uid = pydicom.dcmread(io.BytesIO(body.split(b"\r\n\r\n", 1)[1]), stop_before_pixels=True).SOPInstanceUID
        stored = {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}}]}}
        names = [value for part in self.connection.getpeercert()["subject"] for key, value in part if key == "commonName"]
        authorization = self.headers["Authorization"]
        print("POST", self.path, authorization, *names, flush=True)
        status, body = (200, json.dumps(stored).encode()) if authorization == "Bearer secret-1" else (401, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(certificate, key)
context.load_verify_locations(ca)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
