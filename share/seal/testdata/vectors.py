#!/usr/bin/env python3
"""Makes vectors/sealed.json, the test vectors of docs/protocol/sealed.md.

It implements the format anew, from the specification alone, with Python's hashlib and
hmac and the AES of the package cryptography. Run it in this folder.
"""
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

RECORD, TAG = 65536, 32
DATA = RECORD - TAG
HEAD, CONTENTS, PADDING = 1, 2, 3
FOLDER, FILE = 1, 2


def hkdf(key, info, length):
    prk = hmac.new(bytes(32), key, hashlib.sha256).digest()
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:length]


def derive(key, what, length):
    return hkdf(key, b"shoal sealed share 1 " + what, length)


def padme(n):
    e = n.bit_length() - 1
    rest = max(0, e - e.bit_length())
    mask = (1 << rest) - 1
    return (n + mask) & ~mask


def pattern(seed, length):
    return bytes((seed + 7 * i + i // 251) % 256 for i in range(length))


def manifest(entries):
    out = b""
    for e in entries:
        name = e["name"].encode()
        out += struct.pack(">BBHq", e["depth"], FOLDER if e["folder"] else FILE, e["mode"], e["time"])
        if not e["folder"]:
            out += struct.pack(">Q", e["size"])
        out += bytes([len(name)]) + name
    return out


def seal(key, text, contents):
    tag_key, enc_key = derive(key, b"tag", 32), derive(key, b"encryption", 32)
    head = struct.pack(">II", 1, len(text)) + text
    cut = lambda b: [b[i:i + DATA].ljust(DATA, b"\0") for i in range(0, len(b), DATA)]
    plain = [(HEAD, b) for b in cut(head)] + [(CONTENTS, b) for b in cut(contents)]
    count = padme(max(2, len(plain)))
    plain += [(PADDING, bytes(DATA))] * (count - len(plain))
    records = []
    for n, (kind, data) in enumerate(plain):
        tag = hmac.new(tag_key, struct.pack(">BB6xQ", 1, kind, n) + data, hashlib.sha256).digest()
        e = Cipher(algorithms.AES(enc_key), modes.CTR(tag[:16])).encryptor()
        records.append((kind, tag, tag + e.update(data) + e.finalize()))
    return records


def share(about, key, entries, seeds):
    files = [e for e in entries if not e["folder"]]
    for e, seed in zip(files, seeds):
        e["pattern"] = seed
    contents = b"".join(pattern(e["pattern"], e["size"]) for e in files)
    text = manifest(entries)
    records = seal(key, text, contents)
    blob = b"".join(r for _, _, r in records)
    return {
        "about": about,
        "secret": key.hex(),
        "name": derive(key, b"name", 16).hex(),
        "tag_key": derive(key, b"tag", 32).hex(),
        "encryption_key": derive(key, b"encryption", 32).hex(),
        "entries": entries,
        "manifest": text.hex() if len(text) < 4096 else "",
        "manifest_bytes": len(text),
        "manifest_sha256": hashlib.sha256(text).hexdigest(),
        "contents_sha256": hashlib.sha256(contents).hexdigest(),
        "bytes": len(blob),
        "sha256": hashlib.sha256(blob).hexdigest(),
        "records": [{
            "kind": kind, "tag": tag.hex(), "first_16": r[TAG:TAG + 16].hex(), "last_16": r[-16:].hex(),
        } for kind, tag, r in records],
    }


def folder(depth, name, mode=0o755, time=0):
    return {"depth": depth, "folder": True, "name": name, "mode": mode, "time": time}


def file(depth, name, size, mode=0o644, time=0):
    return {"depth": depth, "folder": False, "name": name, "mode": mode, "time": time, "size": size}


def refused():
    root, f = folder(0, "r"), lambda name: file(1, name, 1)
    ok = manifest([root, f("a")])
    huge = dict(f("b"), size=1 << 50)
    cases = [
        ("nothing at all", b""),
        ("cut within an entry", ok[:-1]),
        ("a byte too many", ok + b"\0"),
        ("no root", manifest([f("a")])),
        ("two roots", manifest([root, root])),
        ("deeper than the folder above", manifest([root, file(2, "a", 1)])),
        ("a file in a file", manifest([root, f("a"), file(2, "b", 1)])),
        ("a name twice", manifest([root, f("a"), f("a")])),
        ("a folder of a file's name", manifest([root, f("a"), folder(1, "a")])),
        ("not in order", manifest([root, f("b"), f("a")])),
        ("no name", manifest([root, f("")])),
        ("a dot", manifest([root, f(".")])),
        ("the folder above", manifest([root, f("..")])),
        ("a path for a name", manifest([root, f("../../etc/passwd")])),
        ("an absolute path", manifest([root, f("/etc/passwd")])),
        ("a zero byte", manifest([root, f("a\0b")])),
        ("a line end", manifest([root, f("a\nb")])),
        ("reversed text", manifest([root, f("gpj\u202eexe")])),
        ("no UTF-8", ok[:-1] + b"\xff"),
        ("more than permissions", manifest([root, dict(f("a"), mode=0o4755)])),
        ("another kind", ok[:1] + b"\3" + ok[2:]),
        ("a file beyond the limit", manifest([root, dict(f("a"), size=(1 << 50) + 1)])),
        ("files beyond the limit together", manifest([root, f("a"), huge])),
        ("a size of 64 bits", manifest([root, dict(f("a"), size=(1 << 64) - 1)])),
        ("101 folders deep", manifest([folder(i, "d") for i in range(102)])),
        ("a path of 4001 bytes", manifest(
            [root] + [folder(i, "d" * 250) for i in range(1, 16)] + [folder(16, "d" * 236)])),
    ]
    return [{"about": a, "manifest": b.hex()} for a, b in cases]


key = bytes(range(0xa0, 0xc0))
vectors = {
    "about": "Test vectors of docs/protocol/sealed.md, made by share/seal/testdata/vectors.py. Byte i of a file"
             " with a pattern P is (P + 7*i + i/251) mod 256, with whole-number division. Kinds of records: 1 head,"
             " 2 contents, 3 padding. Times are nanoseconds since 1970 UTC. first_16 and last_16 are of the"
             " ciphertext. refused are manifests that a reader must not accept. Free to use for any implementation.",
    "padme": [[n, padme(n)] for n in
              [1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 100, 127, 128, 129, 1000, 1023, 1024, 1025, 65535, 65537,
               163841, 10**6, 10**9, 2**34 + 1]],
    "shares": [
        share("an empty file: the smallest share", key, [file(0, "empty", 0)], [0]),
        share("a file that ends one byte into its second record", key,
              [file(0, "one.bin", DATA + 1, 0o600, 1700000000123456789)], [3]),
        share("a folder with an empty folder, an empty file, files that share a record and one over several; a time"
              " before 1970", bytes([1] * 32),
              [folder(0, "Urlaub ü", 0o750, 1600000000000000000), file(1, "A", 5, 0o755, -1), folder(1, "a"),
               file(2, "empty", 0), file(2, "long", 600000, 0o640, 1234567890), folder(1, "empty", 0o700, 5),
               file(1, "z", 1)], [1, 0, 2, 9]),
        share("a manifest of two records", bytes([2] * 32),
              [folder(0, "many")] + [file(1, "%03d" % i + "n" * 200, 1) for i in range(320)], range(320)),
    ],
    "refused": refused(),
}
with open("vectors/sealed.json", "w") as f:
    json.dump(vectors, f, indent=1, ensure_ascii=False)
    f.write("\n")
