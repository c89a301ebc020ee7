package main

import (
	"github.com/shoalnet/shoal/share"
)

// listedName is the name of a transfer in a list. The name of a sealed share that this
// node cannot read says nothing, so its size stands for it.
func listedName(t share.Transfer) string {
	switch t.Seal {
	case share.SealOpen:
		return nameOf(t) + " (sealed)"
	case share.SealBlind:
		return sealedSize(t)
	}
	return nameOf(t)
}

func sealedSize(t share.Transfer) string { return "sealed, " + size(t.Size) }

// readers says who can read a sealed share; it is empty for plain content.
func readers(t share.Transfer) string {
	switch t.Seal {
	case share.SealOpen:
		return "yes: only people with the full link can read it"
	case share.SealBlind:
		return "yes, and this node cannot read it: it has the link without the key"
	}
	return ""
}

// blindLink is the link of a sealed share without its key, or empty if link has none.
func blindLink(link string) string {
	l, err := share.ParseLink(link)
	if err != nil || l.Secret.IsZero() {
		return ""
	}
	return l.Blind().String()
}
