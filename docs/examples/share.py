#!/usr/bin/env python3
"""Shares a path by a running node and downloads a link, by the API of shoal.

    share.py share PATH
    share.py get LINK FOLDER

It needs nothing but Python's standard library. The node is that of the control
socket in SHOAL_STATE, or in the state directory of this user.
"""
import http.client
import json
import os
import socket
import sys


class Node(http.client.HTTPConnection):
    """A connection to the control socket of a node."""

    def __init__(self, path):
        super().__init__("shoal", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        """Sends one request and returns the JSON of the answer."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
        answer = self.getresponse()
        text = answer.read()
        data = json.loads(text) if text else None
        if answer.status >= 300:
            raise SystemExit(f"{data.get('code')}: {data.get('detail') or data.get('title')}")
        return data

    def events(self):
        """Yields what happens, from now on: the name of each event and its data."""
        self.request("GET", "/api/v1/events?stats=false", headers={"Accept": "text/event-stream"})
        event = ""
        for line in self.getresponse():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                yield event, json.loads(value)


def node():
    state = os.environ.get("SHOAL_STATE") or os.path.join(
        os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "shoal")
    return Node(os.path.join(state, "shoal.sock"))


def share(path):
    """Shares a file or folder and returns its link, once its hashes are known."""
    events = node().events()
    next(events)  # what there is already; after it, nothing is missed
    made = node().ask("POST", "/shares", {"path": os.path.abspath(path)})
    if made["link"]:
        return made["link"]
    for event, data in events:
        # Until the hashes are known, a share has an ID of its own.
        if event == "notice" and made["id"] in (data["id"], data.get("was")):
            if data["event"] == "error":
                raise SystemExit(data.get("message"))
            if data["event"] == "shared":
                return data["transfer"]["link"]


def get(link, folder):
    """Downloads what a link names and returns where it is."""
    events = node().events()
    next(events)
    made = node().ask("POST", "/transfers", {"link": link, "output": os.path.abspath(folder)})
    while made["state"] != "seeding":
        event, data = next(events)
        changes = data.get("transfers", {}) if event in ("reset", "patch") else {}
        # A change has only the keys that changed; a removal is null.
        if made["id"] in changes:
            if changes[made["id"]] is None:
                raise SystemExit("the transfer was removed")
            made.update(changes[made["id"]])
        if made["state"] == "error":
            raise SystemExit(made.get("reason"))
    return made["path"]


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "share":
        print(share(sys.argv[2]))
    elif len(sys.argv) == 4 and sys.argv[1] == "get":
        print(get(sys.argv[2], sys.argv[3]))
    else:
        raise SystemExit(__doc__)
