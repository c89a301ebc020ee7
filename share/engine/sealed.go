package engine

import (
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
)

// looksSealed tells whether content has the form of a sealed share.
func looksSealed(info *metainfo.Info) bool {
	return !info.Multi && seal.Fits(info.Name, info.Total, info.PieceLength)
}

// seal says who can read t.
func (t *transfer) seal() share.Seal {
	if t.options.Blind {
		return share.SealBlind
	}
	return ""
}
