// Package dialback keeps to itself how a peer finds out whether strangers can reach
// it, with the help of one other peer and no third party.
//
// It is an extension of the peer protocol (BEP 10) called "sh_dialback". The
// asker opens a connection from the address in question and sends a request; the
// helper dials that address and answers with the result:
//
//	request   d 8:msg_type i0e  5:nonce 20:…  [3:tcp iPORTe]  [3:udp iPORTe] e
//	answer    d [2:ip 16:…]  8:msg_type i1e  5:nonce 20:…  [3:tcp iOUTCOMEe]  [3:udp iOUTCOMEe] e
//
// By TCP the helper connects and starts an ordinary handshake (BEP 3) for the
// content of the connection, with the nonce as its peer ID, so that the asker
// recognises the answer to its own request. By UDP it sends a DHT ping (BEP 5,
// read-only as in BEP 43) from a port that it has never used with the asker, with
// the nonce as its node ID.
//
// Outcomes: 0 success; 1 no answer; 2 the connection was rejected; 3 another host
// answered; 4 not tried.
//
// A helper cannot be used against third parties: it dials only the address that the
// request came from, only global IPv6 addresses and ports from 1024 on, and with
// limits for one host, one /64 and in all. An asker trusts only a connection that
// arrives, not the word of a helper; it believes a failure only if several helpers
// report it.
package dialback

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/shoalnet/shoal/share/bencode"
)

// Name is the name of the extension in the handshake of BEP 10.
const Name = "sh_dialback"

// Nonce is a random value that the asker chooses.
type Nonce [20]byte

// Request asks a helper to dial back. A port of 0 is not dialled.
type Request struct {
	Nonce    Nonce
	TCP, UDP uint16
}

// Outcome is the result of one dial.
type Outcome int

// The outcomes with their values on the wire.
const (
	Worked   Outcome = 0
	Silence  Outcome = 1 // nobody answered
	Rejected Outcome = 2 // a reset, or a word from a firewall
	Stranger Outcome = 3 // it was not the asker who answered
	Declined Outcome = 4 // not tried
)

// Answer is the results of the dials.
type Answer struct {
	Nonce    Nonce
	TCP, UDP Outcome
	// Seen is where the helper sees the asker; zero when it did not tell.
	Seen netip.Addr
}

const (
	typeRequest = 0
	typeAnswer  = 1
	// MaxMessage is more than either message has.
	MaxMessage = 256
	// minPort keeps services of the system out of the game, such as mail.
	minPort = 1024
)

// Append adds the message to b.
func (r Request) Append(b []byte) []byte {
	b = append(b, 'd')
	b = bencode.AppendInt(bencode.AppendString(b, "msg_type"), typeRequest)
	b = bencode.AppendString(bencode.AppendString(b, "nonce"), r.Nonce[:])
	if r.TCP != 0 {
		b = bencode.AppendInt(bencode.AppendString(b, "tcp"), int64(r.TCP))
	}
	if r.UDP != 0 {
		b = bencode.AppendInt(bencode.AppendString(b, "udp"), int64(r.UDP))
	}
	return append(b, 'e')
}

// Append adds the message to b.
func (a Answer) Append(b []byte) []byte {
	b = append(b, 'd')
	if a.Seen.IsValid() {
		ip := a.Seen.As16()
		b = bencode.AppendString(bencode.AppendString(b, "ip"), ip[:])
	}
	b = bencode.AppendInt(bencode.AppendString(b, "msg_type"), typeAnswer)
	b = bencode.AppendString(bencode.AppendString(b, "nonce"), a.Nonce[:])
	b = bencode.AppendInt(bencode.AppendString(b, "tcp"), int64(a.TCP))
	b = bencode.AppendInt(bencode.AppendString(b, "udp"), int64(a.UDP))
	return append(b, 'e')
}

var errMessage = errors.New("not a dial-back message")

// Parse reads a message: one of request and answer is not nil.
func Parse(b []byte) (*Request, *Answer, error) {
	if len(b) > MaxMessage {
		return nil, nil, fmt.Errorf("%w: %d bytes", errMessage, len(b))
	}
	v, rest, err := bencode.Parse(b, bencode.Small)
	if err != nil {
		return nil, nil, err
	}
	kind, nonce := v.Get("msg_type"), v.Get("nonce")
	if len(rest) != 0 || v.Kind != bencode.Dict || kind.Kind != bencode.Int || len(nonce.Str) != len(Nonce{}) {
		return nil, nil, errMessage
	}
	switch kind.Int {
	case typeRequest:
		r := Request{Nonce: Nonce(nonce.Str)}
		var ok1, ok2 bool
		r.TCP, ok1 = port(v.Get("tcp"))
		r.UDP, ok2 = port(v.Get("udp"))
		if !ok1 || !ok2 || r.TCP == 0 && r.UDP == 0 {
			return nil, nil, fmt.Errorf("%w: bad ports", errMessage)
		}
		return &r, nil, nil
	case typeAnswer:
		a := Answer{Nonce: Nonce(nonce.Str), TCP: outcome(v.Get("tcp")), UDP: outcome(v.Get("udp"))}
		if ip := v.Get("ip").Str; len(ip) == 16 {
			a.Seen = netip.AddrFrom16([16]byte(ip)).Unmap()
		}
		return nil, &a, nil
	}
	return nil, nil, fmt.Errorf("%w: type %d", errMessage, kind.Int)
}

func port(v bencode.Value) (uint16, bool) {
	if v.Kind == bencode.None {
		return 0, true
	}
	return uint16(v.Int), v.Kind == bencode.Int && v.Int > 0 && v.Int <= 65535
}

// outcome takes what is absent or not known for a call that was not made.
func outcome(v bencode.Value) Outcome {
	if v.Kind != bencode.Int || v.Int < int64(Worked) || v.Int > int64(Declined) {
		return Declined
	}
	return Outcome(v.Int)
}
