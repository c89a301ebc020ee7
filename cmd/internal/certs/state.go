package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"github.com/shoalnet/shoal/share"
)

// State is how far the certificate of an address has come.
type State = share.AddressCertificate

// longest bounds the words of a CA that are shown.
const longest = 400

// classify says what a failure means, and what the CA said.
func classify(err error) (share.CertificateState, string) {
	problem, ok := errors.AsType[acme.Problem](err)
	if !ok {
		_, path := errors.AsType[*fs.PathError](err)
		_, link := errors.AsType[*os.LinkError](err)
		if path || link {
			return share.CertificateFailed, clip(err.Error())
		}
		return share.CertificateNoCA, clip(innermost(err).Error())
	}
	words := problem.Detail
	for _, s := range problem.Subproblems {
		words += "; " + s.Detail
	}
	if words == "" {
		words = strings.TrimPrefix(problem.Type, acme.ProblemTypeNamespace)
	}
	words = clip(words)
	switch {
	case problem.Type == acme.ProblemTypeRateLimited || problem.Status == http.StatusTooManyRequests:
		return share.CertificateLimited, words
	case problem.Type == acme.ProblemTypeConnection:
		return share.CertificateUnproven, words
	case problem.Type == acme.ProblemTypeServerInternal || problem.Status >= 500:
		return share.CertificateNoCA, words
	}
	return share.CertificateRefused, words
}

// innermost is what went wrong, without all that was being done.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		if _, ok := next.(interface{ Timeout() bool }); ok {
			return next
		}
		err = next
	}
}

func clip(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?")
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + " ..."
	}
	return s
}

// Report says in words how far the certificates have come. refused are ports at which the
// node cannot listen.
func (k *Keeper) Report(refused []share.RefusedPort) share.CertificateReport {
	all := k.States()
	r := share.CertificateReport{CA: k.cfg.CA, Addresses: all}
	if len(all) == 0 {
		r.State = share.CertificateUnproven
		r.Answer = "There is no certificate: this host has no stable global IPv6 address that it tells to others."
		r.Next = "Certificates are only for such addresses. shoal doctor lists those of this host."
		return r
	}
	r.State = all[0].State
	r.Answer, r.Next = say(all[0], k.cfg.Now(), refused)
	return r
}

func say(s State, now time.Time, refused []share.RefusedPort) (answer, next string) {
	if s.State == share.CertificateIssued {
		return fmt.Sprintf("Web links at %s are encrypted: the certificate is valid until %s.", s.Address, when(s.Until)), ""
	}
	none := "There is no certificate for " + s.Address.String()
	if now.Before(s.Until) {
		none = fmt.Sprintf("The certificate for %s is valid until %s, and is not renewed", s.Address, when(s.Until))
	}
	retry := ""
	if !s.Retry.IsZero() {
		retry = "It is tried again at " + when(s.Retry) + "."
	}
	switch s.State {
	case share.CertificatePending:
		return none + " yet: the CA is being asked.", "Wait a minute."
	case share.CertificateNoPort:
		for _, p := range refused {
			next += fmt.Sprintf("Port %d: %s. ", p.Port, p.Error)
		}
		if next == "" {
			next = "Listen there with --web-link-listen [::]:443 and --web-link-listen [::]:80."
		}
		return none + ": the CA tests ports 80 and 443, and this node listens at neither.", strings.TrimSpace(next)
	case share.CertificateUnproven:
		if s.Error != "" {
			return none + ": the CA cannot connect: " + sentence(s.Error),
				"Open TCP 80 and 443 to " + s.Address.String() + " in your router's IPv6 firewall and in this machine's. " + retry
		}
		return none + ": it is not known that strangers reach this address.",
			strings.TrimSpace("Wait until a stranger connects, or test now with shoal doctor --wait 30s. " + retry)
	case share.CertificateLimited:
		return none + ": the CA accepts no more requests until " + when(s.Retry) + ": " + sentence(s.Error), retry
	case share.CertificateNoCA:
		return none + ": the CA does not answer: " + sentence(s.Error), retry
	case share.CertificateFailed:
		return none + ": it cannot be kept: " + sentence(s.Error), retry
	}
	return none + ": the CA refused it: " + sentence(s.Error), retry
}

func sentence(s string) string { return strings.TrimRight(s, ".") + "." }

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
