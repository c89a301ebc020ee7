"""Tells a Deluge daemon what to do, by its RPC port.

  PORT PASSWORD DIR SOURCE...    add links and torrent files, with their data in DIR
"""
import base64
import os
import sys

from twisted.internet import defer, reactor, task

from deluge.ui.client import client


@defer.inlineCallbacks
def add(port, password, folder, sources):
    for tries in range(300):
        try:
            yield client.connect("::1", port, "localclient", password)
            break
        except Exception as e:
            last = e
            yield task.deferLater(reactor, 0.1, lambda: None)
    else:
        raise last
    for source in sources:
        options = {"download_location": folder, "add_paused": False}
        if source.startswith("magnet:"):
            yield client.core.add_torrent_magnet(source, options)
        else:
            with open(source, "rb") as f:
                data = base64.b64encode(f.read())
            yield client.core.add_torrent_file(os.path.basename(source), data, options)
    print("added", flush=True)


def main():
    failures = []
    port, password, folder, *sources = sys.argv[1:]
    d = defer.maybeDeferred(add, int(port), password, folder, sources)
    d.addErrback(failures.append)
    d.addBoth(lambda _: reactor.stop())
    reactor.run()
    if failures:
        sys.exit(failures[0].getTraceback())


main()
