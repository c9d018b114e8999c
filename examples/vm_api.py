#!/usr/bin/env python3
"""A cloud's API for servers and volumes, on this machine and in memory: what vm.flow.yaml talks to.

    vm_api.py [--port 8774] [--break attach]     serve
    vm_api.py list [--port 8774]                 what there is

Whoever asks has to know the token that stands in VM_API_TOKEN. A volume may have 1 TiB; a server is
still starting when it is asked for the first time; a volume that is attached cannot be deleted.
"""
import argparse, json, os, sys, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

LARGEST = 1 << 40
servers, volumes, lock = {}, {}, Lock()


def find(kind, name):
    """By name or by id."""
    return next((one for one in kind.values() if name in (one["name"], one["id"])), None)


def answer(method, path, body, broken):
    """The status and the body of the answer."""
    parts = path.strip("/").split("/")
    kinds = {"servers": (servers, "srv"), "volumes": (volumes, "vol")}
    if parts == [""] and method == "GET":
        return 200, {"servers": list(servers), "volumes": list(volumes)}
    if len(parts) == 4 and parts[0] == "servers" and parts[2] == "volumes":
        server, volume = find(servers, parts[1]), find(volumes, parts[3])
        if server is None or volume is None:
            return 404, {"error": "no such server or volume"}
        if method == "PUT":
            if broken == "attach":
                return 503, {"error": "the storage network is down"}
            volume["server"] = server["id"]
            return 200, volume
        if method == "DELETE":
            volume["server"] = None
            return 204, None
    if len(parts) == 2 and parts[0] in kinds:
        kind, prefix = kinds[parts[0]]
        one = find(kind, parts[1])
        if method == "PUT":
            if body.get("size", 0) > LARGEST:
                return 422, {"error": "a volume has 1 TiB at most"}
            # The same request again makes nothing new.
            if one is None:
                one = {"id": f"{prefix}-{len(kind) + 1}", "name": parts[1], **body, "server": None, "asked": 0}
                kind[parts[1]] = one
            return 200, one
        if one is None:
            return 404, {"error": "there is none of that name"}
        if method == "GET":
            one["asked"] += 1
            return 200, {**one, "status": "BUILD" if one["asked"] == 1 else "ACTIVE"}
        if method == "DELETE":
            if prefix == "vol" and one["server"] is not None:
                return 409, {"error": "the volume is attached"}
            del kind[one["name"]]
            return 204, None
    return 405, {"error": "there is no such request"}


class Handler(BaseHTTPRequestHandler):
    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "{}")
        if self.headers.get("Authorization") != f"Bearer {os.environ['VM_API_TOKEN']}":
            status, told = 401, {"error": "the token is wrong"}
        else:
            with lock:
                status, told = answer(self.command, self.path, body, self.server.broken)
        text = b"" if told is None else json.dumps(told).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_DELETE = serve

    def log_message(self, *_):
        pass


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", nargs="?", choices=["serve", "list"], default="serve")
    options.add_argument("--port", type=int, default=8774)
    options.add_argument("--break", dest="broken", choices=["attach"], help="what is not to work")
    given = options.parse_args()
    if "VM_API_TOKEN" not in os.environ:
        sys.exit("vm_api.py: set VM_API_TOKEN first")
    if given.what == "list":
        request = urllib.request.Request(f"http://127.0.0.1:{given.port}/")
        request.add_header("Authorization", f"Bearer {os.environ['VM_API_TOKEN']}")
        there = json.load(urllib.request.urlopen(request))
        print(f"servers: {len(there['servers'])}, volumes: {len(there['volumes'])}")
        return
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.broken = given.broken
    server.serve_forever()


main()
