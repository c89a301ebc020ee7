"""A peer that others wrote: python3 lt_peer.py TORRENT DIR ENCRYPTION[/utp] [HOST PORT]

With /utp it speaks uTP and no TCP, else the reverse. It seeds what is in DIR, or fetches it there from the peer at HOST PORT. It
prints "port N" when it listens and "done" when it has everything and has written
it, and ends when its standard input does.
"""
import sys, threading, time, os
import libtorrent as lt

torrent, folder, encryption = sys.argv[1:4]
encryption, _, transport = encryption.partition("/")
utp = transport == "utp"
session = lt.session({
    "listen_interfaces": "[::1]:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "alert_mask": 0, "allow_multiple_connections_per_ip": True,
    "enable_outgoing_utp": utp, "enable_incoming_utp": utp,
    "enable_outgoing_tcp": not utp, "enable_incoming_tcp": not utp,
    "rate_limit_ip_overhead": False,
})
level = {"plain": lt.enc_policy.disabled, "any": lt.enc_policy.enabled, "forced": lt.enc_policy.forced}[encryption]
session.apply_settings({
    "in_enc_policy": int(level), "out_enc_policy": int(level),
    "allowed_enc_level": int(lt.enc_level.rc4 if encryption == "forced" else lt.enc_level.both),
    "prefer_rc4": encryption == "forced",
})
params = lt.add_torrent_params()
if torrent.startswith("magnet:"):
    params = lt.parse_magnet_uri(torrent)
else:
    params.ti = lt.torrent_info(torrent)
params.save_path = folder
handle = session.add_torrent(params)
while session.listen_port() == 0:
    time.sleep(0.01)
print("port", session.listen_port(), flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
if len(sys.argv) > 4:
    while not handle.status().state in (lt.torrent_status.downloading, lt.torrent_status.downloading_metadata, lt.torrent_status.seeding, lt.torrent_status.finished):
        time.sleep(0.01)
    handle.connect_peer((sys.argv[4], int(sys.argv[5])))
while not handle.status().is_seeding:
    time.sleep(0.02)
# Pieces count once they are hashed, while their blocks wait to be written.
session.apply_settings({"alert_mask": lt.alert.category_t.storage_notification})
handle.flush_cache()
while not any(isinstance(a, lt.cache_flushed_alert) for a in session.pop_alerts()):
    session.wait_for_alert(100)
print("done", flush=True)
while True:
    time.sleep(60)
