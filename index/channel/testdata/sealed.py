#!/usr/bin/env python3
"""Makes vectors/sealed.json, the test vectors of sealed channels in docs/protocol/channels.md.

It implements the sealed list anew, from the specification alone, with Python's hashlib
and hmac and the AES of the package cryptography. Lists are stored in zstd frames without
compression, which every reader takes. Run it in this folder.
"""
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def hkdf(key, info, length):
    prk = hmac.new(bytes(32), key, hashlib.sha256).digest()
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:length]


def padme(n):
    e = n.bit_length() - 1
    mask = (1 << max(0, e - e.bit_length())) - 1
    return (n + mask) & ~mask


def zstd(data):
    """A frame of RFC 8878 with raw blocks."""
    out = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
    cut = [data[i:i + 100_000] for i in range(0, len(data), 100_000)]
    for i, block in enumerate(cut):
        head = int(i == len(cut) - 1) | len(block) << 3
        out += struct.pack("<I", head)[:3] + block
    return out


def lines(objects):
    return "".join(json.dumps(o, ensure_ascii=False, separators=(",", ":")) + "\n" for o in objects).encode()


def seal(secret, channel, packed):
    derive = lambda what, n: hkdf(secret, b"shoal sealed channel 1 " + what, n)
    size = padme(max(4096, 8 + len(packed)))
    plain = (struct.pack(">Q", len(packed)) + packed).ljust(size, b"\0")
    bound = hashlib.sha256(channel).digest()
    tag = hmac.new(derive(b"tag", 32), b"\x01" + bytes(7) + bound + plain, hashlib.sha256).digest()
    e = Cipher(algorithms.AES(derive(b"encryption", 32)), modes.CTR(tag[:16])).encryptor()
    rest = b"shoalsl\x01" + derive(b"check", 16) + tag + e.update(plain) + e.finalize()
    return {"check": derive(b"check", 16).hex(), "tag": tag.hex()}, struct.pack("<II", 0x184D2A5E, len(rest)) + rest


def vector(about, secret, key, salt, name, text, entries):
    """entries are (id, name, size of the content, size of what is transferred, key, more)."""
    head = {"format": "shoal-channel", "version": 1, "key": key.hex()}
    if salt:
        head["salt"] = salt.hex()
    inner, clear, want, blind = [dict(head, name=name, about=text)], [dict(head, name="")], [], []
    for i, title, size, blob, share, more in sorted(entries, key=lambda e: e[0]):
        line = {"id": i, "name": title, "bytes": size}
        link = f"magnet:?xt=urn:btih:{i}"
        if share:
            line["link"] = link = f"{link}&xl={blob}&x.k={share.hex()}"
            clear.append({"id": i, "name": "", "bytes": blob})
            blind.append({"id": i, "bytes": blob, "link": f"magnet:?xt=urn:btih:{i}&xl={blob}"})
        inner.append(dict(line, **more))
        want.append(dict({"id": i, "name": title, "bytes": size, "sealed": share is not None, "key": share.hex() if share else ""}, **more))
    packed = zstd(lines(inner))
    derived, frame = seal(secret, key + salt, packed)
    magnet = f"magnet:?xs=urn:btpk:{key.hex()}" + (f"&s={salt.hex()}" if salt else "")
    return {
        "about": about,
        "link": f"{magnet}&x.k={secret.hex()}",
        "blind_link": magnet,
        "name": name, "text": text,
        **derived,
        "list": packed.hex(),
        "frame_size": len(frame),
        "frame_sha256": hashlib.sha256(frame).hexdigest(),
        "catalogue": (frame + zstd(lines(clear))).hex(),
        "entries": want,
        "blind_entries": blind,
    }


def main():
    count = lambda first: bytes((first + i) % 256 for i in range(32))
    ids = [f"{n:02x}" * 20 for n in (0x11, 0x22, 0x33)]
    vectors = [
        vector("an empty channel", count(1), count(100), b"", "Family", "", []),
        vector("two sealed shares and a plain one, in a channel with a salt", count(2), count(101), b"films", "Zürich, 東京", "two\nlines", [
            (ids[2], "Holiday", 1_000_000, 1_048_576 + 131_072, count(7), {"about": "by the sea", "time": "2026-11-27T12:00:00Z"}),
            (ids[0], "Letter", 4711, 131_072, count(8), {}),
            (ids[1], "Open to everybody", 4711, 0, None, {"tags": ["plain"]}),
        ]),
        vector("a list that is longer than the least", count(3), count(102), b"", "Many", "x" * 2000, [
            (f"{n:040x}", f"entry {n} " + "y" * 50, n, 131_072, count(n), {}) for n in range(1, 31)
        ]),
    ]
    with open("vectors/sealed.json", "w") as f:
        json.dump(vectors, f, indent=1)
        f.write("\n")


main()
