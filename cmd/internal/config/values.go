package config

import (
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
)

// value is a setting that can be read from text. set gets all elements of a list,
// and one element for other settings.
type value interface {
	set(words []string) error
	words() []string
}

type (
	path      string
	paths     []string
	endpoint  string
	endpoints []string
	hosts     []string
	names     []string
	rate      int64
	size      int64
	count     int
	goal      share.Goal
	interval  time.Duration
	toggle    bool
)

// choice is one of a few words.
type choice struct {
	to    *string
	among []string
}

// valueOf wraps the target of Setting.value in a value.
func valueOf(p any) value {
	switch p := p.(type) {
	case *bool:
		return (*toggle)(p)
	case value:
		return p
	}
	return nil
}

func (p *path) set(w []string) (err error) {
	*p = ""
	if w[0] != "" {
		var abs string
		abs, err = absolute(w[0])
		*p = path(abs)
	}
	return err
}
func (p *path) words() []string { return one(string(*p)) }

func (p *paths) set(w []string) error {
	*p = nil
	for _, s := range w {
		abs, err := absolute(s)
		if err != nil {
			return err
		}
		*p = append(*p, abs)
	}
	return nil
}
func (p *paths) words() []string { return *p }

func absolute(s string) (string, error) {
	if s == "" {
		return "", share.Wrapf("a path must not be empty")
	}
	abs, err := filepath.Abs(s)
	if err != nil {
		return "", share.Wrapf("finding %q: %w", s, err)
	}
	return abs, nil
}

func (e *endpoint) set(w []string) error {
	*e = endpoint(w[0])
	if w[0] == "" {
		return nil
	}
	_, err := ParseEndpoint(w[0])
	return err
}
func (e *endpoint) words() []string { return one(string(*e)) }

func (e *endpoints) set(w []string) error {
	*e = nil
	for _, s := range w {
		a, err := ParseEndpoint(s)
		if err != nil {
			return err
		}
		*e = append(*e, a.String())
	}
	return nil
}
func (e *endpoints) words() []string { return *e }

// ParseEndpoint reads [ADDR]:PORT, ADDR:PORT or :PORT, the address a literal.
func ParseEndpoint(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, share.Wrapf("%q is not [ADDRESS]:PORT, such as [::1]:8080 or [::]:7000", s)
	}
	addr := netip.IPv6Unspecified()
	switch host {
	case "":
	case "localhost":
		addr = netip.IPv6Loopback()
	default:
		if addr, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, share.Wrapf("%q is not [ADDRESS]:PORT: %q is not an address", s, host)
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, share.Wrapf("%q is not [ADDRESS]:PORT: a port is a number from 0 to 65535", s)
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}

func (h *hosts) set(w []string) error {
	*h = nil
	for _, s := range w {
		if s == "none" {
			if len(w) > 1 {
				return share.Wrapf("none stands alone")
			}
			*h = hosts{s}
			return nil
		}
		host, port, err := net.SplitHostPort(s)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || perr != nil || n == 0 {
			return share.Wrapf("%q is not HOST:PORT", s)
		}
		*h = append(*h, s)
	}
	return nil
}
func (h *hosts) words() []string { return *h }

func (n *names) set(w []string) error {
	*n = nil
	for _, s := range w {
		if s == "" || strings.ContainsAny(s, ":/[] ") {
			return share.Wrapf("%q is not the name of a host", s)
		}
		*n = append(*n, strings.ToLower(s))
	}
	return nil
}
func (n *names) words() []string { return *n }

func (r *rate) set(w []string) error {
	n, err := ParseRate(w[0])
	*r = rate(n)
	return err
}
func (r *rate) words() []string { return one(SizeWord(int64(*r))) }

func (s *size) set(w []string) error {
	n, err := ParseSize(w[0])
	*s = size(n)
	return err
}
func (s *size) words() []string { return one(SizeWord(int64(*s))) }

// SizeWord writes n in its shortest exact form.
func SizeWord(n int64) string {
	for _, u := range [...]struct {
		name string
		of   int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"MB", 1e6}, {"KB", 1e3}} {
		if n >= u.of && n%u.of == 0 {
			return strconv.FormatInt(n/u.of, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// ParseSize reads a number of bytes such as 1500, 20M, 4MiB or 1.5 GB. K, M, G
// and T are powers of 1000, Ki, Mi, Gi and Ti of 1024.
func ParseSize(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return 0, share.Errorf(share.Usage, "%q is not a size such as 500K, 20MiB or 1.5GB", s)
	}
	return int64(n), nil
}

// ParseRate reads a size that may end in /s; none and unlimited are 0.
func ParseRate(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if s == "none" || s == "unlimited" {
		return 0, nil
	}
	n, err := ParseSize(strings.TrimSuffix(s, "/s"))
	if err != nil {
		return 0, share.Errorf(share.Usage, "%q is not a rate such as 500K, 20MiB or 0 for no limit", s)
	}
	return n, nil
}

func (c *count) set(w []string) error {
	n, err := strconv.ParseUint(w[0], 10, 31)
	if err != nil {
		return share.Wrapf("%q is not a number from 0 on", w[0])
	}
	*c = count(n)
	return nil
}
func (c *count) words() []string { return one(strconv.Itoa(int(*c))) }

func (t *toggle) set(w []string) error {
	b, err := strconv.ParseBool(strings.ToLower(w[0]))
	if err != nil {
		return share.Wrapf("%q is not true or false", w[0])
	}
	*t = toggle(b)
	return nil
}
func (t *toggle) words() []string { return one(strconv.FormatBool(bool(*t))) }

func (c *choice) set(w []string) error {
	if !slices.Contains(c.among, w[0]) {
		return share.Wrapf("%q is not one of %s", w[0], strings.Join(c.among, ", "))
	}
	*c.to = w[0]
	return nil
}
func (c *choice) words() []string { return one(*c.to) }

func (i *interval) set(w []string) error {
	d, err := ParseSpan(w[0])
	if err == nil && (d < time.Second || d > 7*day) {
		err = share.Wrapf("%q is not from 1s to 7d", w[0])
	}
	*i = interval(d)
	return err
}
func (i *interval) words() []string { return one(spanWord(time.Duration(*i))) }

// word is any text; a prefix is one of IPv6. Empty is none.
type (
	word   string
	prefix string
)

func (w *word) set(text []string) error { *w = word(text[0]); return nil }
func (w *word) words() []string         { return one(string(*w)) }

func (p *prefix) set(w []string) error {
	*p = ""
	if w[0] == "" {
		return nil
	}
	n, err := netip.ParsePrefix(w[0])
	if err != nil || !n.Addr().Is6() || n.Addr().Is4In6() {
		return share.Wrapf("%q is not an IPv6 prefix such as 2001:db8:1:2::/64", w[0])
	}
	*p = prefix(n.Masked().String())
	return nil
}
func (p *prefix) words() []string { return one(string(*p)) }

func (g *goal) set(w []string) error {
	v, err := ParseGoal(w[0])
	*g = goal(v)
	return err
}
func (g *goal) words() []string { return one(GoalWord(share.Goal(*g))) }

// ParseGoal reads a seeding goal: none, forever, a time, ratio:N, or a time and a
// ratio separated by a comma.
func ParseGoal(s string) (share.Goal, error) {
	var g share.Goal
	switch s {
	case "none":
		return share.Goal{None: true}, nil
	case "forever":
		return g, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		if ratio, ok := strings.CutPrefix(part, "ratio:"); ok {
			r, err := strconv.ParseFloat(ratio, 64)
			if err != nil || !(r > 0 && r < 1e6) || g.Ratio != 0 {
				return share.Goal{}, share.Errorf(share.Usage, "%q is not a goal: ratio:N takes a number above 0", s)
			}
			g.Ratio = r
			continue
		}
		d, err := ParseSpan(part)
		if err != nil || d <= 0 || g.For != 0 {
			return share.Goal{}, share.Errorf(share.Usage, "%q is not a goal: give none, forever, a time such as 90m or 7d, or ratio:1.5", s)
		}
		g.For = d
	}
	return g, nil
}

// GoalWord is the inverse of ParseGoal.
func GoalWord(g share.Goal) string {
	if g.None {
		return "none"
	}
	var parts []string
	if g.For > 0 {
		parts = append(parts, spanWord(g.For))
	}
	if g.Ratio > 0 {
		parts = append(parts, "ratio:"+strconv.FormatFloat(g.Ratio, 'g', -1, 64))
	}
	if len(parts) == 0 {
		return "forever"
	}
	return strings.Join(parts, ",")
}

// ParseSpan reads a time as time.ParseDuration does, and days: 7d.
func ParseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(math.Abs(n) < 36500) {
			return 0, share.Errorf(share.Usage, "%q is not a time such as 90m, 12h or 7d", s)
		}
		return time.Duration(n * float64(day)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, share.Errorf(share.Usage, "%q is not a time such as 90m, 12h or 7d", s)
	}
	return d, nil
}

func spanWord(d time.Duration) string {
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func one(s string) []string { return []string{s} }
