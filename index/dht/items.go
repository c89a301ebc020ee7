package dht

import (
	"context"
	"fmt"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/share"
)

// GetImmutable finds the bencoded value whose SHA-1 is target (BEP 44). An
// error wraps index.ErrUnknown when no node has it.
func (n *Node) GetImmutable(ctx context.Context, target [20]byte) ([]byte, error) {
	it, err := n.getItem(ctx, target, nil, nil, -1, true)
	if err != nil {
		return nil, fmt.Errorf("getting item %s: %w", nodeid.ID(target), err)
	}
	return it.V, nil
}

// GetMutable finds the item of key and salt with the highest sequence, if that is
// above newer; -1 accepts any. The item has been verified. An error wraps
// index.ErrUnknown when there is none.
func (n *Node) GetMutable(ctx context.Context, key index.ChannelID, salt []byte, newer int64) (index.Item, error) {
	it, err := n.getItem(ctx, items.MutableTarget(key[:], salt), key[:], salt, newer, false)
	if err != nil {
		return index.Item{}, fmt.Errorf("getting the item of key %s: %w", key.Short(), err)
	}
	return index.Item{Value: it.V, Key: key, Salt: it.Salt, Seq: it.Seq, Sig: [64]byte(it.Sig)}, nil
}

func (n *Node) getItem(ctx context.Context, target nodeid.ID, k, salt []byte, newer int64, first bool) (*items.Item, error) {
	if it := n.heldAlone(target, k, newer); it != nil {
		return it, nil
	}
	var best *items.Item
	err := n.searched(ctx, nil, func() {}, func(done func()) (cancel func()) {
		return n.core.GetItem(target, k, salt, newer, func(it *items.Item) bool {
			best = it
			return !first
		}, done)
	})
	if err != nil {
		return nil, err
	}
	if best == nil {
		return nil, index.Unknown("nothing is stored there")
	}
	return best, nil
}

// heldAlone is the item that is stored here while there is no node to query.
func (n *Node) heldAlone(target nodeid.ID, k []byte, newer int64) (it *items.Item) {
	n.do(func(time.Duration) {
		select {
		case <-n.connected:
		default:
			it = n.core.Held(target, k != nil, newer)
		}
	})
	return it
}

// PutImmutable stores one bencoded value of at most 1000 bytes at the nodes closest
// to its SHA-1. It returns the SHA-1 and the number of nodes that accepted the
// value. They keep it for two hours.
func (n *Node) PutImmutable(ctx context.Context, value []byte) (target [20]byte, stored int, err error) {
	it := &items.Item{V: value}
	stored, err = n.putItem(ctx, it, nil)
	return it.Target(), stored, err
}

// PutMutable stores a signed item at the nodes closest to its key and salt, and
// returns the number that accepted it. They keep it for two hours. With cas, it
// replaces only the item with that sequence. An error wraps index.ErrForged when
// the signature is wrong, and index.ErrStale when some nodes have a newer item or,
// with cas, an item with another sequence.
func (n *Node) PutMutable(ctx context.Context, item index.Item, cas *int64) (stored int, err error) {
	if item.Key.IsZero() {
		return 0, share.Errorf(share.Failed, "putting an item: a mutable item needs a key")
	}
	return n.putItem(ctx, &items.Item{
		V: item.Value, K: item.Key[:], Salt: item.Salt, Seq: item.Seq, Sig: item.Sig[:],
	}, cas)
}

func (n *Node) putItem(ctx context.Context, it *items.Item, cas *int64) (int, error) {
	switch items.Check(it) {
	case 0:
	case krpc.CodeSignature:
		return 0, fmt.Errorf("putting an item: %w", index.ErrForged)
	case krpc.CodeTooBig, krpc.CodeSaltTooBig:
		return 0, share.Errorf(share.Failed, "putting an item: the value has at most 1000 bytes, the salt %d", index.MaxSalt)
	default:
		return 0, share.Errorf(share.Failed, "putting an item: the value is not bencoded")
	}
	it = it.Clone()
	var sum core.Stored
	err := n.searched(ctx, nil, func() {}, func(done func()) (cancel func()) {
		return n.core.PutItem(it, cas, func(s core.Stored) { sum = s; done() })
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("putting item %s: %w", it.Target(), err)
	case sum.Stale+sum.CAS > 0:
		return sum.Accepted, fmt.Errorf("putting item %s: %w", it.Target(), index.ErrStale)
	case sum.Accepted == 0:
		return 0, share.Errorf(share.Failed, "putting item %s: none of %d nodes took it", it.Target(), sum.Asked)
	}
	return sum.Accepted, nil
}
