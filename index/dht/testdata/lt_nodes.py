"""libtorrent nodes driven by JSON lines on standard input.

The first argument is how many; the ith has the address 2001:db8:1:i::1, port
6881. What happens is told in JSON lines on standard output.
"""
import json
import sys
import tempfile
import threading
import time

import libtorrent as lt

ALERTS = (lt.alert.category_t.dht_notification
          | lt.alert.category_t.dht_operation_notification
          | lt.alert.category_t.status_notification)

sessions = []
for i in range(1, int(sys.argv[1]) + 1):
    sessions.append(lt.session({
        'listen_interfaces': '[2001:db8:1:%x::1]:6881' % i,
        'enable_dht': True, 'dht_bootstrap_nodes': '', 'dht_announce_interval': 5,
        'enable_lsd': False, 'enable_upnp': False, 'enable_natpmp': False,
        'alert_mask': ALERTS,
    }))


def say(**event):
    print(json.dumps(event), flush=True)


def value(item):
    """The value of an item alert, as hex of its string."""
    if isinstance(item, dict):
        item = item.get('value', item)
    if isinstance(item, str):
        item = item.encode('latin-1')
    return item.hex() if isinstance(item, bytes) else repr(item)


def listen():
    while True:
        for i, s in enumerate(sessions):
            for a in s.pop_alerts():
                kind = type(a).__name__
                if kind == 'dht_get_peers_reply_alert':
                    say(event='peers', node=i, id=str(a.info_hash),
                        peers=['[%s]:%d' % (p[0], p[1]) for p in a.peers()])
                elif kind == 'dht_immutable_item_alert':
                    say(event='immutable', node=i, target=str(a.target), value=value(a.item))
                elif kind == 'dht_mutable_item_alert':
                    say(event='mutable', node=i, seq=a.seq, final=a.authoritative, value=value(a.item))
                elif kind == 'dht_put_alert':
                    say(event='put', node=i, stored=a.num_success)
                elif kind == 'dht_live_nodes_alert':
                    say(event='nodes', node=i, nodes=['[%s]:%d' % (n['endpoint'][0], n['endpoint'][1]) for n in a.nodes])
        time.sleep(0.05)


threading.Thread(target=listen, daemon=True).start()
say(event='ready')
for line in sys.stdin:
    c = json.loads(line)
    s = sessions[c['node']]
    do = c['do']
    if do == 'know':
        s.add_dht_node((c['host'], c['port']))
    elif do == 'announce':
        s.add_torrent({'url': 'magnet:?xt=urn:btih:' + c['id'], 'save_path': tempfile.gettempdir()})
    elif do == 'get_peers':
        s.dht_get_peers(lt.sha1_hash(bytes.fromhex(c['id'])))
    elif do == 'put_immutable':
        say(event='target', target=str(s.dht_put_immutable_item(bytes.fromhex(c['value']))))
    elif do == 'get_immutable':
        s.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(c['target'])))
    elif do == 'put_mutable':
        s.dht_put_mutable_item(bytes.fromhex(c['secret']), bytes.fromhex(c['key']),
                               bytes.fromhex(c['value']), bytes.fromhex(c['salt']))
    elif do == 'get_mutable':
        s.dht_get_mutable_item(bytes.fromhex(c['key']), bytes.fromhex(c['salt']))
    elif do == 'live_nodes':
        for st in [s.save_state()]:
            ids = st[b'dht state'].get(b'node-id6') or st[b'dht state'].get(b'node-id')
            nid = ids[0] if isinstance(ids, list) else ids
            s.dht_live_nodes(lt.sha1_hash(nid[:20]))
    else:
        sys.exit('what is ' + do)
