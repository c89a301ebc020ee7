package webui

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Limits of a request. A link or torrent is at most 10 MB; uploads of content
// to share are as large as their files.
const (
	maxBody     = 12 << 20
	bodyTime    = time.Minute
	readPause   = 30 * time.Second
	headerTime  = 10 * time.Second
	maxHeader   = 32 << 10
	uploadsPath = "/api/v1/uploads/"
	// Of uploads that can be continued; only their own media type.
	incomingPath = "/api/v1/incoming/"
	incomingType = "application/offset+octet-stream"
	apiPath      = "/api/"
	sessionPath  = "/api/v1/session"
)

// Config holds what a Server needs.
type Config struct {
	Logger *slog.Logger
	API    http.Handler // answers everything below /api/
	Page   fs.FS        // the built page; nil serves the API only
	Auth   *Auth
	// Hosts are the names of the page beside the address that it listens on. The
	// loopback names need not be given if it listens there.
	Hosts []string
	TLS   *tls.Config // nil is plain HTTP, or Secured
	// Secured serves the page over TLS at the addresses that have a certificate.
	Secured *Secured
	// MaxConns bounds the number of connections; 0 is 256.
	MaxConns int
	Now      func() time.Time
}

// Server serves the page and the API on one TCP listener.
type Server struct {
	cfg      Config
	listener net.Listener
	port     string
	hosts    map[string]bool
	guesses  *Guesses
	gate     *gate
	warn     rate.Sometimes // for what strangers can cause to be logged
}

// New checks that serving on l is safe: any address but loopback needs a password.
func New(cfg Config, l net.Listener) (*Server, error) {
	addr, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("the page is served over TCP, not on %s", l.Addr())
	}
	if !addr.Addr().IsLoopback() && !cfg.Auth.HasPassword() {
		return nil, fmt.Errorf("%s can be reached from other machines: set a password first, with 'shoal config set-password', or listen on [::1]", addr)
	}
	s := &Server{
		cfg:      cfg,
		listener: l,
		port:     strconv.Itoa(int(addr.Port())),
		hosts:    make(map[string]bool),
		guesses:  NewGuesses(cfg.Now),
		gate:     newGate(),
		warn:     rate.Sometimes{First: 5, Interval: time.Minute},
	}
	for _, h := range cfg.Hosts {
		s.hosts[strings.ToLower(h)] = true
	}
	if addr.Addr().IsLoopback() || addr.Addr().IsUnspecified() {
		for _, h := range []string{"localhost", "127.0.0.1", "::1"} {
			s.hosts[h] = true
		}
	}
	if !addr.Addr().IsUnspecified() {
		s.hosts[addr.Addr().Unmap().String()] = true
	}
	return s, nil
}

// SignInURL returns a link that signs in one browser. The token is in the fragment,
// which browsers neither send nor log.
func (s *Server) SignInURL() string { return s.URL() + "#signin=" + s.cfg.Auth.OneTime() }

// Run serves until ctx ends. It closes the listener.
func (s *Server) Run(ctx context.Context) error {
	// Event streams end only with their context.
	base, stop := context.WithCancel(context.Background())
	defer stop()
	visitors := newCrowd(s.listener, s.cfg.MaxConns)
	srv := &http.Server{
		Handler:           s.Handler(),
		ConnState:         visitors.watch,
		ConnContext:       visitors.introduce,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
		TLSConfig:         s.cfg.TLS,
	}
	if s.cfg.TLS == nil && !s.at().Addr().IsLoopback() {
		text := "the page is served without TLS: everybody on the way to this machine can read the password; give it a certificate with --web-cert and --web-key, or have one made with --acme"
		if s.cfg.Secured != nil {
			text = "the page is served without TLS at addresses for which there is no certificate: everybody on the way to this machine can read the password there; shoal doctor says how far certificates have come"
		}
		s.cfg.Logger.Warn(text)
	}
	if err := runServer(ctx, srv, visitors, s.cfg.Secured, stop); err != nil {
		return fmt.Errorf("serving the page: %w", err)
	}
	return nil
}

// runServer serves until ctx ends. Then it calls stop, which ends the requests that do not
// end by themselves, and gives the others a moment.
func runServer(ctx context.Context, srv *http.Server, l net.Listener, secured *Secured, stop func()) error {
	serve := func() error { return srv.Serve(l) }
	switch {
	case srv.TLSConfig != nil:
		serve = func() error { return srv.ServeTLS(l, "", "") }
	case secured != nil:
		srv.TLSConfig = secured.config() // for HTTP/2
		e := newEither(l, srv.TLSConfig)
		defer e.all.Wait()
		serve = func() error { return srv.Serve(e) }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop()
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		srv.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler answers every request, behind all checks.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+sessionPath, s.signIn)
	for pattern, h := range s.own() {
		mux.Handle(pattern, s.signedIn(h))
	}
	mux.Handle(apiPath, s.signedIn(s.cfg.API))
	if s.cfg.Page != nil {
		mux.Handle("/", servePage(s.cfg.Page))
	}
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusForbidden, "this request came from another site")
	}))
	checked := headers(s.knownHost(origin.Handler(s.bounded(mux))))
	if s.cfg.Secured != nil {
		checked = s.cfg.Secured.send(checked)
	}
	return hurried(checked)
}

// own are the routes of the server itself, for those who are signed in.
func (s *Server) own() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"DELETE " + sessionPath:        s.signOut,
		"GET /api/v1/sessions":         s.listSignIns,
		"POST /api/v1/sessions":        s.newToken,
		"DELETE /api/v1/sessions":      s.signOutAll,
		"DELETE /api/v1/sessions/{id}": s.revoke,
	}
}

// policy lets the page load its own files, send requests to its own node, and nothing
// else. Trusted types enforce that names from the network become text nodes only.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self'; " +
	"img-src 'self' data:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types shoal-worker"

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: with that, requests over plain HTTP have no Origin.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if strings.HasPrefix(r.URL.Path, apiPath) {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// bounded limits the size and time of a request's body, and refuses the media types
// that a form of another site can send.
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 && len(r.TransferEncoding) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		if media = strings.TrimSpace(media); !strings.HasPrefix(media, "application/") || strings.HasSuffix(media, "x-www-form-urlencoded") {
			problem(w, http.StatusUnsupportedMediaType, "send application/json")
			return
		}
		upload := strings.HasPrefix(r.URL.Path, uploadsPath) || strings.HasPrefix(r.URL.Path, incomingPath) && media == incomingType
		if !upload && r.ContentLength > maxBody {
			problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request has at most %d bytes", maxBody))
			return
		}
		b := &timedBody{control: http.NewResponseController(w), body: r.Body}
		if !upload {
			b.end = time.Now().Add(bodyTime)
			r.Body = http.MaxBytesReader(w, b, maxBody)
		} else {
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Del("Cache-Control")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"title":%q,"status":%d,"detail":%s}`+"\n", http.StatusText(status), status, quote(detail))
}
