package webui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/webui/api"
)

// cookie holds the sign-in of a browser. Cookies are shared by all ports of a host, so
// the name has the port: two nodes on one machine have different cookies.
func (s *Server) cookie(r *http.Request, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: "shoal_" + s.port, Value: value, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
		MaxAge: int(life / time.Second),
	}
	if life <= 0 {
		c.MaxAge = -1
	}
	return c
}

type signInKey struct{}

// Who returns the sign-in of a request that came through a Server. Requests over the
// control socket have none.
func Who(ctx context.Context) SignIn {
	who, _ := ctx.Value(signInKey{}).(SignIn)
	return who
}

// signedIn passes requests that have a valid cookie or bearer token.
func (s *Server) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !isBearer {
			c, err := r.Cookie("shoal_" + s.port)
			if err != nil {
				problem(w, http.StatusUnauthorized, "sign in first: 'shoal open' prints a link")
				return
			}
			secret = c.Value
		}
		ctx, leave, who, err := s.cfg.Auth.Enter(r.Context(), secret)
		if err == nil {
			defer leave()
		}
		if err != nil || (who.Kind == "token") != isBearer {
			problem(w, http.StatusUnauthorized, ErrDenied.Error())
			return
		}
		if asks := s.gate.asks(r); !who.Scope.includes(asks) {
			problem(w, http.StatusForbidden, fmt.Sprintf("this token has the scope %s, and this needs %s: make another token in the settings of the page", who.Scope, asks))
			return
		}
		if who.Scope == ScopeAdd {
			ctx = api.Confine(ctx)
		}
		Patience(w, r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, signInKey{}, who)))
	})
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	var in struct{ Token, Password, Label string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || (in.Token == "") == (in.Password == "") {
		problem(w, http.StatusBadRequest, "send either a token or a password")
		return
	}
	if in.Label == "" {
		in.Label = r.UserAgent()
	}
	var (
		secret string
		who    SignIn
		err    error
	)
	if in.Token != "" {
		secret, who, err = s.cfg.Auth.Redeem(in.Token, in.Label)
	} else {
		if !s.guesses.Try(remote(r)) {
			tooMany(w)
			return
		}
		secret, who, err = s.cfg.Auth.CheckPassword(in.Password, in.Label)
		if err == nil {
			s.guesses.Right(remote(r))
		} else {
			s.guesses.Wrong(remote(r))
		}
	}
	switch {
	case errors.Is(err, ErrDenied):
		s.warn.Do(func() { s.cfg.Logger.Warn("refused a sign-in", "from", remote(r)) })
		problem(w, http.StatusUnauthorized, ErrDenied.Error())
	case err != nil:
		problem(w, http.StatusInternalServerError, err.Error())
	default:
		http.SetCookie(w, s.cookie(r, secret, signInLife))
		reply(w, http.StatusCreated, who)
	}
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if _, err := s.cfg.Auth.Revoke(Who(r.Context()).ID); err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	http.SetCookie(w, s.cookie(r, "", 0))
	w.WriteHeader(http.StatusNoContent)
}

// listed is a sign-in, and whether the request uses it.
type listed struct {
	SignIn
	This bool `json:"this"`
}

func (s *Server) listSignIns(w http.ResponseWriter, r *http.Request) {
	who := Who(r.Context())
	all := []listed{}
	for _, a := range s.cfg.Auth.SignIns() {
		all = append(all, listed{a, a.ID == who.ID})
	}
	reply(w, http.StatusOK, all)
}

func (s *Server) newToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Label string
		Scope Scope
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || strings.TrimSpace(in.Label) == "" {
		problem(w, http.StatusBadRequest, "a token needs a label, so that you know it again")
		return
	}
	if in.Scope == "" {
		in.Scope = ScopeEverything
	}
	if !slices.Contains(scopes[:], in.Scope) {
		problem(w, http.StatusBadRequest, "the scope of a token is read, add or everything")
		return
	}
	secret, who, err := s.cfg.Auth.NewToken(in.Label, in.Scope)
	if err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	reply(w, http.StatusCreated, struct {
		SignIn
		Token string `json:"token"` // shown only here
	}{who, secret})
}

// signOutAll ends the sign-in of every browser, and with ?tokens=true the tokens, too.
func (s *Server) signOutAll(w http.ResponseWriter, r *http.Request) {
	if err := s.cfg.Auth.End("", r.URL.Query().Get("tokens") == "true"); err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	http.SetCookie(w, s.cookie(r, "", 0))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	ok, err := s.cfg.Auth.Revoke(r.PathValue("id"))
	switch {
	case err != nil:
		problem(w, http.StatusInternalServerError, err.Error())
	case !ok:
		problem(w, http.StatusNotFound, "there is no such sign-in")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "20")
	problem(w, http.StatusTooManyRequests, "too many tries; wait a little")
}

// remote is the address that the request came from. It ignores forwarding headers, which
// anybody can write.
func remote(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr()
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// This fails only if the client has gone.
	_ = json.NewEncoder(w).Encode(v)
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
