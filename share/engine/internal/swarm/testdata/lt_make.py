"""Makes a .torrent as others do: python3 lt_make.py DIR TORRENT KIND PIECE_LENGTH

KIND is v2 or hybrid.
"""
import os, sys
import libtorrent as lt

folder, torrent, kind, piece_length = sys.argv[1:]
files = lt.file_storage()
lt.add_files(files, folder)
flags = {"v2": lt.create_torrent.v2_only, "hybrid": 0}[kind]
maker = lt.create_torrent(files, int(piece_length), flags)
lt.set_piece_hashes(maker, os.path.dirname(folder))
with open(torrent, "wb") as f:
    f.write(lt.bencode(maker.generate()))
