"""A WSGI app behind the gateway, on the Unix socket that it is given: it answers with what it was told.

With "servlets" after the socket it reads paths as Tomcat does: it drops ";" and what follows it in each segment, then
decodes, then resolves "..".
"""

import json
import os
import posixpath
import re
import socket
import socketserver
import sys
from urllib.parse import unquote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """wsgiref's, on a Unix socket."""

    address_family = socket.AF_UNIX
    daemon_threads = True

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "app.example", 0
        self.setup_environ()


class Handler(WSGIRequestHandler):
    """Without names of peers, which a Unix socket has none of, and without a log."""

    def address_string(self):
        return "local"

    def get_environ(self):
        self.client_address = ("local", 0)
        environ = super().get_environ()
        if sys.argv[2:] == ["servlets"]:
            raw = self.path.partition("?")[0]
            path = unquote(re.sub(";[^/]*", "", raw), "iso-8859-1").lstrip("/")
            resolved = posixpath.normpath("/" + path)
            environ["PATH_INFO"] = resolved + "/" if path.endswith("/") and resolved != "/" else resolved
        return environ

    def log_message(self, *_):
        pass


def app(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    told = {name[5:].replace("_", "-").lower(): text for name, text in environ.items() if name.startswith("HTTP_")}
    path, body = environ["PATH_INFO"], environ["wsgi.input"].read(length).decode()
    # As an app would that ignores case and slashes too many.
    admin = path.lower().lstrip("/").partition("/")[0] == "admin"
    seen = {"path": path, "headers": told, "body": body, "admin": admin}
    answer = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


with Server(sys.argv[1], Handler) as server:
    server.set_app(app)
    os.chmod(sys.argv[1], 0o666)
    print("ready", flush=True)
    server.serve_forever()
