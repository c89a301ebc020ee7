package krpc

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/share/bencode"
)

// version tells others which client we are, as BEP 5 asks: two letters and a
// number.
const version = "SH\x00\x01"

// Ours reports whether v is the version that this program puts in its messages,
// in any release.
func Ours(v []byte) bool { return len(v) == 4 && v[0] == 'S' && v[1] == 'H' }

// Query is a question to encode. Its zero fields are left out.
type Query struct {
	TID      [4]byte
	Method   Method
	ID       nodeid.ID
	ReadOnly bool

	Target      nodeid.ID // all but Ping and Put
	Token       []byte    // AnnouncePeer, Put
	Port        uint16    // AnnouncePeer
	ImpliedPort bool
	Seed        bool
	Scrape      bool // GetPeers
	NoSeed      bool

	V, K, Sig, Salt []byte // Put
	HasSeq, HasCas  bool   // Get (Seq), Put
	Seq, Cas        int64
}

// AppendQuery appends the datagram of q to b.
func AppendQuery(b []byte, q *Query) []byte {
	b = append(b, "d1:ad"...)
	if q.HasCas {
		b = bencode.AppendInt(append(b, "3:cas"...), q.Cas)
	}
	b = bencode.AppendString(append(b, "2:id"...), q.ID[:])
	if q.ImpliedPort {
		b = append(b, "12:implied_porti1e"...)
	}
	if q.Method == GetPeers || q.Method == AnnouncePeer {
		b = bencode.AppendString(append(b, "9:info_hash"...), q.Target[:])
	}
	if q.K != nil {
		b = bencode.AppendString(append(b, "1:k"...), q.K)
	}
	if q.NoSeed {
		b = append(b, "6:noseedi1e"...)
	}
	if q.Method == AnnouncePeer {
		b = bencode.AppendInt(append(b, "4:port"...), int64(q.Port))
	}
	if len(q.Salt) > 0 {
		b = bencode.AppendString(append(b, "4:salt"...), q.Salt)
	}
	if q.Scrape {
		b = append(b, "6:scrapei1e"...)
	}
	if q.Seed {
		b = append(b, "4:seedi1e"...)
	}
	if q.HasSeq {
		b = bencode.AppendInt(append(b, "3:seq"...), q.Seq)
	}
	if q.Sig != nil {
		b = bencode.AppendString(append(b, "3:sig"...), q.Sig)
	}
	if q.Method == FindNode || q.Method == Get {
		b = bencode.AppendString(append(b, "6:target"...), q.Target[:])
	}
	if q.Method == AnnouncePeer || q.Method == Put {
		b = bencode.AppendString(append(b, "5:token"...), q.Token)
	}
	if q.Method == Put {
		b = append(append(b, "1:v"...), q.V...)
	}
	if q.Method == FindNode || q.Method == GetPeers || q.Method == Get {
		b = append(b, "4:wantl2:n6e"...)
	}
	b = append(b, "e1:q"...)
	b = bencode.AppendString(b, q.Method.String())
	if q.ReadOnly {
		b = append(b, "2:roi1e"...)
	}
	return appendTail(b, q.TID[:], 'q')
}

// Node is an entry of Reply.Nodes.
type Node struct {
	ID   nodeid.ID
	Addr netip.AddrPort
}

// Reply is an answer to encode. Its nil fields are left out.
type Reply struct {
	TID []byte
	ID  nodeid.ID
	To  netip.AddrPort // told to the asker as "ip", BEP 42

	HasNodes   bool // "nodes6" is there even when it is empty
	Nodes      []Node
	Token      []byte
	Values     []netip.AddrPort
	BFsd, BFpe []byte

	V, K, Sig []byte
	HasSeq    bool
	Seq       int64
}

// AppendReply appends the datagram of r to b.
func AppendReply(b []byte, r *Reply) []byte {
	b = append(b, "d2:ip18:"...)
	b = appendAddr(b, r.To)
	b = append(b, "1:rd"...)
	if r.BFpe != nil {
		b = bencode.AppendString(append(b, "4:BFpe"...), r.BFpe)
	}
	if r.BFsd != nil {
		b = bencode.AppendString(append(b, "4:BFsd"...), r.BFsd)
	}
	b = bencode.AppendString(append(b, "2:id"...), r.ID[:])
	if r.K != nil {
		b = bencode.AppendString(append(b, "1:k"...), r.K)
	}
	if r.HasNodes {
		b = append(b, "6:nodes6"...)
		b = strconv.AppendInt(b, int64(len(r.Nodes)*NodeSize), 10)
		b = append(b, ':')
		for i := range r.Nodes {
			b = append(b, r.Nodes[i].ID[:]...)
			b = appendAddr(b, r.Nodes[i].Addr)
		}
	}
	if r.HasSeq {
		b = bencode.AppendInt(append(b, "3:seq"...), r.Seq)
	}
	if r.Sig != nil {
		b = bencode.AppendString(append(b, "3:sig"...), r.Sig)
	}
	if r.Token != nil {
		b = bencode.AppendString(append(b, "5:token"...), r.Token)
	}
	if r.V != nil {
		b = append(append(b, "1:v"...), r.V...)
	}
	if len(r.Values) > 0 {
		b = append(b, "6:valuesl"...)
		for _, a := range r.Values {
			b = appendAddr(append(b, "18:"...), a)
		}
		b = append(b, 'e')
	}
	b = append(b, 'e')
	return appendTail(b, r.TID, 'r')
}

// AppendError appends an error datagram to b.
func AppendError(b []byte, tid []byte, code int, text string) []byte {
	b = bencode.AppendInt(append(b, "d1:el"...), int64(code))
	b = bencode.AppendString(b, text)
	b = append(b, 'e')
	return appendTail(b, tid, 'e')
}

func appendTail(b, tid []byte, kind byte) []byte {
	b = bencode.AppendString(append(b, "1:t"...), tid)
	b = append(b, "1:v4:"+version+"1:y1:"...)
	return append(b, kind, 'e')
}

func appendAddr(b []byte, a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	b = append(b, ip[:]...)
	return binary.BigEndian.AppendUint16(b, a.Port())
}
