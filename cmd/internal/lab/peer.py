"""A libtorrent peer for tests. One command, JSON lines on standard output.

  make PATH TORRENT [URL...]     write a torrent for PATH, with these trackers
  makeall DIR DIR                write NAME.torrent into the second folder for each
                                 NAME in the first
  layout TORRENT -               one JSON object: how the pieces lie in the files
  seed TORRENT DIR               have everything in DIR and serve it
  get  LINK|TORRENT DIR          fetch into DIR, exit when complete
  read KEY SEQ                   find the mutable item of KEY with at least SEQ
  put  SECRET VALUE KEY          put VALUE, a string in hex, as the item of KEY;
                                 SECRET is the seed of RFC 8032

Options: --listen [ADDR]:PORT  --peer [ADDR]:PORT (repeatable)
         --crypto plain|required  --dht  --node [ADDR]:PORT (repeatable)
         --lan (BEP 14)  --stay (get goes on seeding)  --utp (beside TCP)
         --hasty (gives up a call after 3 seconds; who has everything calls nobody
         but --peer)
         --down RATE (in bytes a second)
         --no-tcp  --kind v1|v2|hybrid, --piece BYTES (of what make writes)
"""
import argparse
import hashlib
import json
import os
import sys
import time

import libtorrent as lt


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def host_port(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def make(args):
    write(args, args.source, args.target)
    hashes = lt.torrent_info(args.target).info_hashes()
    say("made", id=str(hashes.v1) if hashes.has_v1() else "", v2=str(hashes.v2) if hashes.has_v2() else "")


def makeall(args):
    for name in os.listdir(args.source):
        write(args, os.path.join(args.source, name), os.path.join(args.target, name + ".torrent"))


def write(args, source, target):
    storage = lt.file_storage()
    path = os.path.abspath(source)
    lt.add_files(storage, path)
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[args.kind]
    torrent = lt.create_torrent(storage, args.piece, flags)
    for url in args.extra:
        torrent.add_tracker(url)
    lt.set_piece_hashes(torrent, os.path.dirname(path))
    with open(target, "wb") as f:
        f.write(lt.bencode(torrent.generate()))


def layout(args):
    info = lt.torrent_info(args.source)
    files = info.files()
    print(json.dumps({
        "piece_length": info.piece_length(),
        "total": info.total_size(),
        "files": [{
            # Below the folder that a torrent of several files is named after.
            "path": files.file_path(i).split("/", 1)[-1] if files.num_files() > 1 else "",
            "offset": files.file_offset(i),
            "length": files.file_size(i),
            "pad": bool(files.file_flags(i) & lt.file_flags_t.flag_pad_file),
        } for i in range(files.num_files())],
    }))


def session(args):
    policy = int(lt.enc_policy.forced if args.crypto == "required" else lt.enc_policy.disabled)
    level = int(lt.enc_level.rc4 if args.crypto == "required" else lt.enc_level.both)
    return lt.session({
        "listen_interfaces": args.listen,
        "enable_dht": args.dht,
        "dht_bootstrap_nodes": "",
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_prefer_verified_node_ids": False,
        "enable_lsd": args.lan,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": args.utp,
        "enable_outgoing_utp": args.utp,
        "peer_connect_timeout": 3 if args.hasty else 15,
        "utp_connect_timeout": 1000 if args.hasty else 3000,
        "seeding_outgoing_connections": not args.hasty,
        "download_rate_limit": args.down,
        "enable_incoming_tcp": args.tcp,
        "enable_outgoing_tcp": args.tcp,
        "allow_multiple_connections_per_ip": True,
        "out_enc_policy": policy,
        "in_enc_policy": policy,
        "allowed_enc_level": level,
        "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification,
        "stop_tracker_timeout": 1,
        "min_reconnect_time": 1,
        "user_agent": "libtorrent-lab",
    })


def listening(ses):
    """Waits until the session has a port, since 0 asks for any."""
    deadline = time.monotonic() + 30
    while ses.listen_port() == 0:
        if time.monotonic() > deadline:
            sys.exit("libtorrent does not listen")
        time.sleep(0.01)
    return ses.listen_port()


def run(args):
    ses = session(args)
    port = listening(ses)
    for node in args.node:
        ses.add_dht_node(host_port(node))
    if args.source.startswith("magnet:"):
        params = lt.parse_magnet_uri(args.source)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(args.source)
    params.save_path = args.target
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if args.command == "seed":
        params.flags |= lt.torrent_flags.seed_mode
    began = time.monotonic()
    handle = ses.add_torrent(params)
    for peer in args.peer:
        handle.connect_peer(host_port(peer))
    say("ready", port=port)
    while args.command == "seed":
        status = handle.status()
        say("progress", up=status.total_payload_upload, peers=status.num_peers)
        report(ses)
        time.sleep(1)
    tick = 0
    while True:
        status = handle.status()
        report(ses)
        if status.errc.value():
            sys.exit(status.errc.message())
        if status.is_seeding:
            break
        tick += 1
        if tick % 50 == 0:
            say("progress", bytes=status.total_done, total=status.total_wanted, peers=status.num_peers)
            if status.num_peers == 0:
                for peer in args.peer:
                    handle.connect_peer(host_port(peer))
        time.sleep(0.01)
    say("done", seconds=time.monotonic() - began, bytes=status.total_done)
    while args.stay:
        report(ses)
        time.sleep(1)
    ses.pause()


def connected(args, *masks):
    """A session that has found others in the DHT."""
    ses = session(args)
    ses.apply_settings({"alert_mask": sum(masks)})
    listening(ses)
    for node in args.node:
        ses.add_dht_node(host_port(node))
    return ses


def until(ses, act, kind, good):
    """Acts again every few seconds until an alert of a kind is good."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        act()
        again = time.monotonic() + 3
        while time.monotonic() < again:
            for alert in ses.pop_alerts():
                if type(alert).__name__ == kind and good(alert):
                    return alert
            time.sleep(0.02)
    sys.exit("nobody in the DHT answers " + kind)


def read(args):
    """The binding gives values that are strings only; the alert's text has all."""
    ses = connected(args, lt.alert.category_t.dht_notification, lt.alert.category_t.dht_operation_notification)
    key = bytes.fromhex(args.source)
    found = until(ses, lambda: ses.dht_get_mutable_item(key, b""), "dht_mutable_item_alert",
                  lambda a: a.seq >= int(args.target) and a.authoritative)
    say("item", seq=found.seq, text=found.message())


def put(args):
    ses = connected(args, lt.alert.category_t.dht_notification, lt.alert.category_t.dht_operation_notification)
    secret = bytearray(hashlib.sha512(bytes.fromhex(args.source)).digest())
    secret[0] &= 248
    secret[31] = secret[31] & 63 | 64
    key = bytes.fromhex(args.extra[0])
    done = until(ses, lambda: ses.dht_put_mutable_item(bytes(secret), key, bytes.fromhex(args.target), b""), "dht_put_alert",
                 lambda a: a.num_success > 0)
    say("put", seq=done.seq, stored=done.num_success)


def report(ses):
    for alert in ses.pop_alerts():
        print(type(alert).__name__, alert.message(), file=sys.stderr, flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("command", choices=["make", "makeall", "layout", "seed", "get", "read", "put"])
    p.add_argument("source")
    p.add_argument("target")
    p.add_argument("extra", nargs="*")
    p.add_argument("--listen", default="[::]:0")
    p.add_argument("--peer", action="append", default=[])
    p.add_argument("--node", action="append", default=[])
    p.add_argument("--crypto", choices=["plain", "required"], default="plain")
    p.add_argument("--dht", action="store_true")
    p.add_argument("--lan", action="store_true")
    p.add_argument("--hasty", action="store_true")
    p.add_argument("--down", type=int, default=0)
    p.add_argument("--no-tcp", dest="tcp", action="store_false")
    p.add_argument("--stay", action="store_true")
    p.add_argument("--utp", action="store_true")
    p.add_argument("--piece", type=int, default=0)
    p.add_argument("--kind", choices=["v1", "v2", "hybrid"], default="v1")
    args = p.parse_args()
    {"make": make, "makeall": makeall, "layout": layout, "read": read, "put": put}.get(args.command, run)(args)


main()
