package lan

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/shoalnet/shoal/share"
)

// message is one announce: the sender listens on this port for these IDs.
//
//	BT-SEARCH * HTTP/1.1 CRLF
//	Host: [ff15::efc0:988f]:6771 CRLF
//	Port: PORT CRLF
//	Infohash: HEX40 CRLF    (one or more)
//	cookie: TEXT CRLF       (optional; lets a sender recognise its own)
//	CRLF CRLF
type message struct {
	port   uint16
	ids    []share.ID
	cookie string
}

const (
	requestLine = "BT-SEARCH * HTTP/1."
	// BEP 14 asks for at most 1,400 bytes, which is 25 IDs.
	maxSend    = 1400
	maxIDs     = 25
	maxReceive = 2048
	maxLines   = 80
	maxCookie  = 64
)

func (m message) bytes() []byte {
	b := make([]byte, 0, maxSend)
	b = append(b, requestLine+"1\r\nHost: "+groupText+"\r\nPort: "...)
	b = strconv.AppendUint(b, uint64(m.port), 10)
	b = append(b, "\r\n"...)
	for _, id := range m.ids {
		b = append(b, "Infohash: "...)
		b = hex.AppendEncode(b, id[:])
		b = append(b, "\r\n"...)
	}
	return append(b, "cookie: "+m.cookie+"\r\n\r\n\r\n"...)
}

// parse reads a datagram. It refuses the datagram if a header that it needs is
// wrong, and ignores unknown headers.
func parse(b []byte) (message, error) {
	if len(b) > maxReceive {
		return message{}, fmt.Errorf("%d bytes", len(b))
	}
	line, rest, ok := cutLine(b)
	if !ok || !bytes.HasPrefix(line, []byte(requestLine)) {
		return message{}, errors.New("not a BT-SEARCH message")
	}
	var m message
	for n := 0; ; n++ {
		line, rest, ok = cutLine(rest)
		if !ok || len(line) == 0 {
			break
		}
		if n >= maxLines {
			return message{}, errors.New("too many headers")
		}
		if err := m.header(line); err != nil {
			return message{}, err
		}
	}
	if m.port == 0 || len(m.ids) == 0 {
		return message{}, errors.New("no port or no info-hash")
	}
	return m, nil
}

func (m *message) header(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return errors.New("a header without a colon")
	}
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Port")):
		port, err := strconv.ParseUint(string(value), 10, 16)
		if err != nil || port == 0 || m.port != 0 {
			return fmt.Errorf("port %.10q", value)
		}
		m.port = uint16(port)
	case bytes.EqualFold(name, []byte("Infohash")):
		id, err := share.ParseID(string(value))
		if err != nil {
			return err
		}
		if !slices.Contains(m.ids, id) {
			m.ids = append(m.ids, id)
		}
	case bytes.EqualFold(name, []byte("cookie")):
		if len(value) > maxCookie {
			return errors.New("cookie too long")
		}
		m.cookie = string(value)
	}
	return nil
}

// cutLine returns the first line, which ends with LF or CRLF, and the rest.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	line, rest, ok = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest, ok
}
