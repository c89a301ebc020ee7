package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/shoalnet/shoal/share"
)

// Config is what a Keeper needs.
type Config struct {
	Logger *slog.Logger
	Now    func() time.Time
	Dir    string // of account and certificates; made when it is needed
	CA     string // URL of the directory (RFC 8555); empty is LetsEncrypt
	Root   string // file with the root certificate of the CA's web server; empty is the system's
	Email  string // told to the CA; empty is none
	// Addresses are those of this host, best first.
	Addresses func() []Address
	// Changed is called when an address got a certificate.
	Changed func(netip.Addr)
}

// Address is an address of this host that may have a certificate.
type Address struct {
	IP netip.Addr
	// Wanted says that it is told to others and lasts: a certificate is asked for. Others
	// keep what they have.
	Wanted bool
	TCP    share.Verdict // whether strangers reach it
	// Link is the network that it is in. Where the CA came to one address of a network, it is
	// expected to come to the next. Empty is unknown.
	Link string
	// Prepared says that the router, if it is asked at all, was asked to let the CA in.
	Prepared bool
	// HTTP and TLS say that this node answers there at ports 80 and 443.
	HTTP, TLS bool
}

const (
	lookEvery = 15 * time.Second
	// orderTime bounds one order, with both challenges.
	orderTime = 3 * time.Minute
	// notAgain is how long a CA that refused is not asked again, whoever wants that.
	notAgain = time.Minute
	// mostAddresses bounds the certificates of one node: each is public, and costs the CA.
	mostAddresses = 4
	// adviceEvery is how often the CA is asked when to renew, unless it says otherwise.
	adviceEvery = 6 * time.Hour
	// mostPatience bounds the time that a CA makes us wait, in case of nonsense.
	mostPatience = 8 * 24 * time.Hour
	// shortLife is that of a certificate which is renewed at half of it. Others are at two
	// thirds.
	shortLife = 10 * 24 * time.Hour
)

// pauses are the times between failures. An order fails at most twice for one address, and
// Let's Encrypt allows five failures an hour.
var pauses = [...]time.Duration{15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}

// away are the pauses while the CA does not answer, which costs it nothing.
var away = [...]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// Keeper keeps a certificate for each address of this host that is wanted. Its methods may
// be called from any goroutine.
type Keeper struct {
	cfg        Config
	store      store
	issuer     *issuer
	challenges *challenges
	kick       chan bool

	mu     sync.Mutex
	slots  map[netip.Addr]*slot
	order  []netip.Addr // of the wanted ones
	proofs map[netip.Addr]proof
}

// A proof is an address that has a certificate, and where it is or was: the CA got in there.
type proof struct {
	Link  string    `json:"link"`
	Until time.Time `json:"until"` // the certificate is valid
}

// A slot is what is known of an address.
type slot struct {
	cert   *tls.Certificate // nil without one
	renew  time.Time
	advice time.Time // to be asked for again
	state  State
	try    try
}

// New reads what is kept. It asks nothing: see Run.
func New(cfg Config) (*Keeper, error) {
	if cfg.CA == "" {
		cfg.CA = LetsEncrypt
	}
	key, err := keyOf(cfg.CA)
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(cfg.Root)
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		cfg: cfg, store: newStore(cfg.Dir, key), challenges: newChallenges(), kick: make(chan bool, 1),
		slots: map[netip.Addr]*slot{},
	}
	k.issuer = &issuer{directory: cfg.CA, email: cfg.Email, roots: roots, log: cfg.Logger, store: k.store, challenges: k.challenges}
	tries, err := k.store.tries(context.Background())
	if err != nil {
		cfg.Logger.Warn("what was remembered of failures at the CA cannot be read", "error", err)
	}
	for a, t := range tries {
		k.slots[a] = &slot{try: t}
	}
	if k.proofs, err = k.store.proofs(context.Background()); err != nil {
		cfg.Logger.Warn("it is not known any more which addresses had certificates", "error", err)
	}
	for _, a := range cfg.Addresses() {
		k.load(a.IP)
	}
	return k, nil
}

// Run asks for certificates and renews them until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	if err := os.MkdirAll(k.cfg.Dir, 0o700); err != nil {
		k.cfg.Logger.Error("there is no folder for certificates", "error", err)
	}
	config, end := k.magic()
	defer end()
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		urgent := false
		select {
		case <-ctx.Done():
			return nil
		case urgent = <-k.kick:
		case <-clock.C:
		}
		k.round(ctx, config, urgent)
		clock.Reset(k.rest())
	}
}

// magic is certmagic as the Keeper uses it, and a function that ends it.
func (k *Keeper) magic() (config *certmagic.Config, end func()) {
	// The cache stays empty: what it does with certificates in it is the Keeper's job.
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return config, nil }, Logger: zap.NewNop(),
	})
	config = certmagic.New(cache, certmagic.Config{
		Storage: k.store, Issuers: []certmagic.Issuer{k.issuer}, Logger: zap.NewNop(), DisableARI: true,
		KeySource: certmagic.StandardKeyGenerator{KeyType: certmagic.P256}, OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	return config, cache.Stop
}

// rest is how long nothing will be due.
func (k *Keeper) rest() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	rest := lookEvery
	for _, s := range k.slots {
		if d := s.try.Retry.Sub(k.cfg.Now()); d > 0 && d < rest {
			rest = d
		}
	}
	return rest
}

// Look has the addresses looked at now, because one of them may have changed. If again is
// true, what failed is tried again as far as the CA allows, and the CA is asked for advice.
func (k *Keeper) Look(again bool) {
	select {
	case k.kick <- again:
	default:
		select { // one is waiting
		case was := <-k.kick:
			again = again || was
		default:
		}
		select {
		case k.kick <- again:
		default:
		}
	}
}

// load returns the slot of an address, with what is on the disk.
func (k *Keeper) load(a netip.Addr) *slot {
	k.mu.Lock()
	s := k.slots[a]
	k.mu.Unlock()
	if s != nil && s.state.Address.IsValid() {
		return s
	}
	next := &slot{state: State{Address: a}}
	if s != nil {
		next.try = s.try
	}
	cert, err := k.store.certificate(context.Background(), a)
	if err != nil {
		k.cfg.Logger.Warn("a certificate cannot be used", "error", err)
	}
	next.take(cert)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.slots[a] = next
	return next
}

func (s *slot) take(cert *tls.Certificate) {
	s.cert, s.renew, s.advice = cert, time.Time{}, time.Time{}
	s.state.Until, s.state.Renew = time.Time{}, time.Time{}
	if cert != nil {
		s.renew = renewal(cert.Leaf)
		s.state.Until, s.state.Renew = cert.Leaf.NotAfter, s.renew
	}
}

// renewal is when a certificate is renewed if the CA gives no other advice.
func renewal(leaf *x509.Certificate) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	if life <= shortLife {
		return leaf.NotBefore.Add(life / 2)
	}
	return leaf.NotBefore.Add(life / 3 * 2)
}

func (k *Keeper) round(ctx context.Context, config *certmagic.Config, again bool) {
	all := k.cfg.Addresses()
	var wanted []netip.Addr
	for _, a := range all {
		k.load(a.IP)
		if a.Wanted && len(wanted) < mostAddresses {
			wanted = append(wanted, a.IP)
		}
	}
	k.mu.Lock()
	k.order = wanted
	for a, s := range k.slots {
		here := slices.ContainsFunc(all, func(h Address) bool { return h.IP == a })
		if here || s.cert != nil && k.cfg.Now().Before(s.cert.Leaf.NotAfter) {
			continue
		}
		// The address is gone, and what it had is of no use when it returns.
		if s.cert != nil {
			if err := k.store.forget(ctx, a); err != nil {
				k.cfg.Logger.Warn("a certificate that has expired cannot be deleted", "address", a, "error", err)
			}
		}
		if !k.cfg.Now().Before(s.try.Retry) {
			delete(k.slots, a)
		}
	}
	k.mu.Unlock()
	k.prove(ctx, all)
	for _, a := range all {
		if ctx.Err() != nil {
			return
		}
		if slices.Contains(wanted, a.IP) {
			k.look(ctx, config, a, again)
		}
	}
	k.prove(ctx, all)
}

// prove takes the certificates of this host for proofs, and forgets those that have expired.
func (k *Keeper) prove(ctx context.Context, all []Address) {
	now := k.cfg.Now()
	next := map[netip.Addr]proof{}
	k.mu.Lock()
	for a, p := range k.proofs {
		if now.Before(p.Until) {
			next[a] = p
		}
	}
	for _, a := range all {
		if s := k.slots[a.IP]; s != nil && s.cert != nil && a.Link != "" && now.Before(s.cert.Leaf.NotAfter) {
			next[a.IP] = proof{a.Link, s.cert.Leaf.NotAfter}
		}
	}
	same := maps.EqualFunc(k.proofs, next, func(a, b proof) bool { return a.Link == b.Link && a.Until.Equal(b.Until) })
	k.proofs = next
	k.mu.Unlock()
	if same {
		return
	}
	if err := k.store.saveProofs(ctx, next); err != nil {
		k.cfg.Logger.Error("it cannot be remembered which addresses had certificates", "error", err)
	}
}

// succeeds tells whether the CA came to another address of the same network, so that it may
// be asked to come to this one: the host was renumbered.
func (k *Keeper) succeeds(a Address) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for other, p := range k.proofs {
		if other != a.IP && p.Link == a.Link && k.cfg.Now().Before(p.Until) {
			return a.Prepared && a.Link != ""
		}
	}
	return false
}

// held is the failure because of which no other successor in the network of an address is
// tried before its time. A prefix that changes all the time must not become a storm of orders.
func (k *Keeper) held(a Address) (by try) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for other, s := range k.slots {
		if other != a.IP && s.try.Link == a.Link && s.try.Retry.After(by.Retry) {
			by = s.try
		}
	}
	return by
}

// look does what is due for one address.
func (k *Keeper) look(ctx context.Context, config *certmagic.Config, a Address, again bool) {
	s := k.load(a.IP)
	now := k.cfg.Now()
	valid := s.cert != nil && now.Before(s.cert.Leaf.NotAfter)
	if valid && (again || !now.Before(s.advice)) {
		k.consult(ctx, s)
	}
	next := !valid && a.TCP == share.NotKnown && k.succeeds(a)
	switch {
	case valid && now.Before(s.renew):
		k.set(s, State{State: share.CertificateIssued})
	case !a.HTTP && !a.TLS:
		k.set(s, State{State: share.CertificateNoPort})
	case a.TCP != share.Reachable && !valid && !next || a.TCP == share.Unreachable:
		k.set(s, State{State: share.CertificateUnproven})
	case next && k.held(a).waits(now, again):
		k.set(s, State{State: share.CertificateUnproven, Retry: k.held(a).Retry})
	case s.try.waits(now, again):
		k.set(s, State{State: share.CertificateState(s.try.State), Error: s.try.Error, Retry: s.try.Retry})
	default:
		link := ""
		if next {
			link = a.Link
		}
		k.obtain(ctx, config, s, a, link)
	}
}

// waits tells whether the next try is not due yet. The user may have it before.
func (t try) waits(now time.Time, again bool) bool {
	return now.Before(t.Retry) && !(again && t.mayNow(now))
}

// mayNow tells whether the user may have another try before its time.
func (t try) mayNow(now time.Time) bool {
	switch share.CertificateState(t.State) {
	case share.CertificateLimited:
		return false
	case share.CertificateNoCA, share.CertificateFailed:
		return true
	}
	return now.Sub(t.At) >= notAgain
}

// set replaces the state, except for what the certificate says.
func (k *Keeper) set(s *slot, next State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next.Address, next.Until, next.Renew = s.state.Address, s.state.Until, s.state.Renew
	s.state = next
}

// consult asks the CA when to renew. It may want that at once, as after a mistake of its own.
func (k *Keeper) consult(ctx context.Context, s *slot) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	renew, again, err := k.issuer.advice(ctx, s.cert.Leaf)
	if err != nil {
		k.cfg.Logger.Debug("the CA gives no advice on renewal", "address", s.state.Address, "error", err)
	}
	now := k.cfg.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	s.advice = now.Add(adviceEvery)
	if again.After(now) && again.Before(s.advice) {
		s.advice = again
	}
	if !renew.IsZero() && renew.Before(s.renew) {
		s.renew, s.state.Renew = renew, renew
	}
}

// obtain places an order and waits for its end. link is that of a successor.
func (k *Keeper) obtain(ctx context.Context, config *certmagic.Config, s *slot, a Address, link string) {
	k.set(s, State{State: share.CertificatePending})
	var waits time.Time
	o := &order{http: a.HTTP, tls: a.TLS, waits: &waits}
	name := a.IP.String()
	work, cancel := context.WithTimeout(context.WithValue(ctx, orderKey{}, o), orderTime)
	defer cancel()
	k.cfg.Logger.Info("asking for a certificate", "address", a.IP, "ca", k.cfg.CA, "renewal", s.cert != nil)
	var err error
	if s.cert != nil {
		o.replaces = s.cert.Leaf
		err = config.RenewCertSync(work, name, true)
	} else {
		err = config.ObtainCertSync(work, name)
	}
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		var cert *tls.Certificate
		if cert, err = k.store.certificate(ctx, a.IP); cert == nil && err == nil {
			err = errors.New("the certificate is not where it was kept")
		} else if err == nil {
			k.got(ctx, s, cert)
			return
		}
	}
	k.failed(ctx, s, link, err, waits)
}

func (k *Keeper) got(ctx context.Context, s *slot, cert *tls.Certificate) {
	k.mu.Lock()
	s.take(cert)
	s.try = try{}
	s.state = State{Address: s.state.Address, State: share.CertificateIssued, Until: s.state.Until, Renew: s.state.Renew}
	k.mu.Unlock()
	k.remember(ctx)
	k.cfg.Logger.Info("got a certificate", "address", s.state.Address, "until", cert.Leaf.NotAfter)
	k.cfg.Changed(s.state.Address)
}

// failed decides when to try again.
func (k *Keeper) failed(ctx context.Context, s *slot, link string, err error, waits time.Time) {
	state, words := classify(err)
	now := k.cfg.Now()
	steps := pauses[:]
	if state == share.CertificateNoCA {
		steps = away[:]
	}
	t := try{Failures: s.try.Failures + 1, At: now, State: string(state), Error: words, Link: link}
	if s.try.State != t.State {
		t.Failures = 1
	}
	t.Retry = now.Add(steps[min(t.Failures, len(steps))-1])
	if waits = earlier(waits, now.Add(mostPatience)); waits.After(t.Retry) || state == share.CertificateLimited && waits.After(now) {
		t.Retry = waits
	}
	t.Retry = t.Retry.Round(0)
	k.mu.Lock()
	s.try = t
	k.mu.Unlock()
	k.set(s, State{State: state, Error: words, Retry: t.Retry})
	k.remember(ctx)
	k.cfg.Logger.Warn("there is no new certificate", "address", s.state.Address, "state", state, "error", words, "retry", t.Retry)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// remember writes the failures down.
func (k *Keeper) remember(ctx context.Context) {
	k.mu.Lock()
	all := map[netip.Addr]try{}
	for a, s := range k.slots {
		if s.try.Failures > 0 {
			all[a] = s.try
		}
	}
	k.mu.Unlock()
	if err := k.store.saveTries(ctx, all); err != nil {
		k.cfg.Logger.Error("failures at the CA cannot be remembered", "error", err)
	}
}

// Certificate is the valid certificate of an address; nil without one.
func (k *Keeper) Certificate(a netip.Addr) *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.slots[a]
	if s == nil || s.cert == nil || !k.cfg.Now().Before(s.cert.Leaf.NotAfter) {
		return nil
	}
	return s.cert
}

// Challenge is how to shake hands with the CA at an address; nil for anybody else.
func (k *Keeper) Challenge(hello *tls.ClientHelloInfo, local netip.Addr) *tls.Config {
	return k.challenges.config(hello, local)
}

// Answer answers a request of the CA over plain HTTP, and reports whether r was one.
func (k *Keeper) Answer(w http.ResponseWriter, r *http.Request, local netip.Addr) bool {
	return k.challenges.answer(w, r, local)
}

// Expecting tells whether the CA may come now.
func (k *Keeper) Expecting() bool { return k.challenges.any() }

// States are how far the wanted addresses have come, best first.
func (k *Keeper) States() []State {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []State
	for _, a := range k.order {
		if s := k.slots[a]; s != nil {
			all = append(all, s.state)
		}
	}
	return all
}

// CA is the URL of the directory of the CA.
func (k *Keeper) CA() string { return k.cfg.CA }
