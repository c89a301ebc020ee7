package wan

import "time"

// router tells senders that the hop limit of their packets was used up, as often as those
// of Linux do.
type router struct {
	spent time.Duration // until when it has answered ahead
}

// may tells whether an answer may be sent now.
func (r *router) may(now time.Duration) bool {
	const each, ahead = 250 * time.Millisecond, 6
	if r.spent = max(r.spent, now); r.spent-now > (ahead-1)*each {
		return false
	}
	r.spent += each
	return true
}
