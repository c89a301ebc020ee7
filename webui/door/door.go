package door

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Config holds what a Door needs.
type Config struct {
	Logger    *slog.Logger
	Links     *Links
	Transfers Transfers
	Content   Content
	Sums      *Sums // nil: checksums for archives are computed again after a restart
	// Uploads limits and counts the data of a transfer sent in answers.
	Uploads   func(share.ID, *http.Request) (Upload, error)
	Boxes     Boxes
	Intake    Intake
	Passwords Passwords
	Guesses   Guesses // of passwords
	// Patience removes the time limit of an answer.
	Patience func(http.ResponseWriter, *http.Request)
	// Encrypted says that the door is reached over TLS only. Otherwise it checks each
	// request.
	Encrypted bool
	// At returns the base URLs at which the door is reachable now, best first.
	At  func() []string
	Now func() time.Time
}

// Transfers reports what a transfer is doing.
type Transfers interface {
	Get(share.ID) (share.Transfer, error)
}

// Content gives access to the files of a transfer.
type Content interface {
	Files(share.ID) ([]share.File, error)
	Open(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error)
	// OpenSource opens a file by its name in the torrent. The error for an unknown name
	// wraps fs.ErrNotExist.
	OpenSource(ctx context.Context, id share.ID, name string) (content io.ReadSeekCloser, size int64, err error)
}

// Upload is content being sent, within the limits of the node and counted in its
// totals.
type Upload interface {
	// Holds reports whether uploads are limited now. Then small parts are sent.
	Holds() bool
	// Pass waits until n bytes may be sent.
	Pass(ctx context.Context, n int) error
	Sent(n int)
	End()
}

// Intake is data that people send, within the node's download limit and counted in its
// totals.
type Intake interface {
	// Holds reports whether there is a limit now. Then small parts are taken.
	Holds() bool
	// Pass waits until n more bytes may be taken.
	Pass(ctx context.Context, n int) error
	Got(n int)
}

// Boxes store the files that people send.
type Boxes interface {
	Box(id string) (api.Box, error)
}

// Passwords compares a password with its hash.
type Passwords interface {
	Matches(phc, password string) bool
}

// Guesses limits attempts at a password.
type Guesses interface {
	Try(netip.Addr) bool
	Wrong(netip.Addr)
	Right(netip.Addr)
}

// Door answers requests for web links. Its server listens and limits connections.
type Door struct {
	Config
	key       [32]byte // of the cookies; those of an earlier process are void
	pages     *pages
	seats     *seats
	misses    *misses
	sums      *sums
	downloads *downloads
	turns     *turns
}

// New makes a door. It answers until Run has returned.
func New(c Config) *Door {
	d := &Door{Config: c, pages: newPages(), seats: newSeats(), misses: newMisses(c.Now), downloads: newDownloads(), turns: newTurns()}
	d.sums = newSums(c.Content.Open, c.Sums, c.Logger)
	rand.Read(d.key[:])
	return d
}

// Run returns when ctx has ended and everything that the door began has stopped.
func (d *Door) Run(ctx context.Context) error {
	d.sums.run(ctx)
	return nil
}

// Forget drops what was computed for a transfer that has ended.
func (d *Door) Forget(id share.ID) { d.sums.forget(id) }

// End ends the answers under way for a link that was revoked.
func (d *Door) End(link string) { d.seats.end(link) }

// Rest ends the answers under way for transfers that are no longer served.
func (d *Door) Rest() {
	for id := range d.seats.transfers() {
		if t, err := d.Transfers.Get(id); err != nil || !Serves(&t) {
			d.seats.endIf(func(o *seat) bool { return o.of == id })
		}
	}
}

const (
	prefix     = "/s/"
	cookieName = "shoal_web_link"
	cookieLife = 12 * time.Hour
	bodyTime   = 30 * time.Second
	maxBody    = 4 << 10
	// readTime is how long a read from the disk may take.
	readTime = time.Minute
)

// visit is a request for a link that exists.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	link Link
	t    share.Transfer // of a link to a share
	box  api.Box        // of a link for receiving; nil otherwise
	rest string         // path below the link, after the name of the route
	end  func()         // ends an answer that sends content; set by enter
}

// A route answers requests for one kind of path below a link.
type route struct {
	method string // GET includes HEAD
	open   bool   // also before the password was given
	answer func(*Door, *visit)
}

// routes are the whole door for links to a share, by the first element of the path below
// one. For links for receiving it is receiving.
var routes = map[string]route{
	"":       {http.MethodGet, false, (*Door).root},
	"folder": {http.MethodGet, false, (*Door).folder},
	"view":   {http.MethodGet, false, (*Door).view},
	"file":   {http.MethodGet, false, (*Door).file},
	"inline": {http.MethodGet, false, (*Door).inline},
	"all":    {http.MethodGet, false, (*Door).all},
	"zip":    {http.MethodGet, false, (*Door).zip},
	"unlock": {http.MethodPost, true, (*Door).unlock},
	"where":  {http.MethodGet, true, (*Door).where},
}

// ServeHTTP implements http.Handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil && !d.Encrypted {
		over := *d
		over.Encrypted = true
		d = &over
	}
	d.pages.headers(w.Header())
	if r.ContentLength != 0 {
		// Recorders in tests have no connection to set a deadline on.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		w.Header().Set("Connection", "close")
	}
	from := remote(r)
	if d.misses.tooMany(from) {
		d.tooMany(w, r)
		return
	}
	below, seed := strings.CutPrefix(r.URL.Path, seedPrefix)
	capability, rest, _ := strings.Cut(below, "/")
	name := ""
	if !seed {
		capability, name, rest = split(r.URL.Path)
	}
	v := &visit{w: w, r: r, rest: rest}
	if !d.find(v, capability, seed) {
		d.misses.add(from)
		d.fail(w, r, http.StatusNotFound, "nothing")
		return
	}
	if seed {
		d.seed(v)
		return
	}
	if v.box != nil {
		(&reception{d}).receive(v, name)
		return
	}
	way, known := routes[name]
	switch {
	case !known:
		d.missing(v)
	case r.Method != way.method && (r.Method != http.MethodHead || way.method != http.MethodGet):
		w.Header().Set("Allow", way.method)
		d.fail(w, r, http.StatusMethodNotAllowed, "method")
	case !way.open && !d.unlocked(v):
		d.ask(v, false)
	default:
		way.answer(d, v)
	}
}

// split divides a path into the capability, the name of the route and what follows.
func split(p string) (capability, name, rest string) {
	p, ok := strings.CutPrefix(p, prefix)
	if !ok {
		return "", "", ""
	}
	capability, p, _ = strings.Cut(p, "/")
	name, rest, _ = strings.Cut(p, "/")
	return capability, name, rest
}

// find completes a visit with what a capability leads to. It makes no difference why one
// leads nowhere.
func (d *Door) find(v *visit, capability string, seed bool) bool {
	l, ok := d.Links.find(capability, seed)
	if !ok {
		return false
	}
	v.link = l
	if l.Receive {
		box, err := d.Boxes.Box(l.ID)
		v.box = box
		return err == nil && !box.Terms().Ended
	}
	t, err := d.Transfers.Get(l.Transfer)
	v.t = t
	return err == nil && t.Added.Equal(l.Added) && l.refuses(&t, d.Encrypted) == nil
}

func (l *Link) refuses(t *share.Transfer, encrypted bool) error {
	if l.Seed {
		return RefusesSeed(*t)
	}
	return Refuses(*t, encrypted)
}

// Refuses says why a transfer cannot have a web link.
func Refuses(t share.Transfer, encrypted bool) error {
	switch {
	case t.Seal == share.SealBlind:
		return share.Errorf(share.Refused, "%s is sealed and this node has no key, so it has nothing to show in a browser", t.ID.Short())
	case t.Seal != "" && !encrypted:
		return share.Errorf(share.Refused, "%s is sealed, and a web link would send it unencrypted to the browser: a sealed share gets a web link only where they are https", t.ID.Short())
	case t.Channel != "":
		return share.Errorf(share.Refused, "%s is the list of a channel, which browsers cannot use", t.ID.Short())
	}
	return nil
}

// remote is the address that the request came from.
func remote(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr()
}

// unlocked reports whether the visitor gave the password, or needs none.
func (d *Door) unlocked(v *visit) bool {
	if v.link.Password == "" {
		return true
	}
	c, err := v.r.Cookie(cookieName)
	return err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(d.proof(&v.link))) == 1
}

// proof is the value of the cookie of those who gave the password of a link.
func (d *Door) proof(l *Link) string {
	h := hmac.New(sha256.New, d.key[:])
	fmt.Fprintf(h, "%s %s", l.Capability, l.Password)
	return hex.EncodeToString(h.Sum(nil))
}

// unlock takes the password.
func (d *Door) unlock(v *visit) {
	if v.link.Password == "" || v.rest != "" {
		d.missing(v)
		return
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxBody)
	password := v.r.PostFormValue("password")
	from := remote(v.r)
	if !d.Guesses.Try(from) {
		d.tooMany(v.w, v.r)
		return
	}
	if !d.Passwords.Matches(v.link.Password, password) {
		d.Guesses.Wrong(from)
		d.ask(v, true)
		return
	}
	d.Guesses.Right(from)
	http.SetCookie(v.w, &http.Cookie{
		Name: cookieName, Value: d.proof(&v.link), Path: v.link.Path() + "/", MaxAge: int(cookieLife / time.Second),
		HttpOnly: true, Secure: d.Encrypted, SameSite: http.SameSiteLaxMode,
	})
	v.w.Header().Set("Location", v.link.Path()+"/")
	v.w.WriteHeader(http.StatusSeeOther)
}

// root shows the share.
func (d *Door) root(v *visit) {
	if v.r.URL.Path != v.link.Path()+"/" {
		// Pages name others from here on, and the cookie is for what is below.
		v.w.Header().Set("Location", v.link.Path()+"/")
		v.w.WriteHeader(http.StatusSeeOther)
		return
	}
	d.list(v, "")
}

func (d *Door) folder(v *visit) {
	below := strings.TrimSuffix(v.rest, "/")
	if below == "" {
		d.missing(v)
		return
	}
	d.list(v, below)
}

// files returns the files of the share that this node has or fetches.
func (d *Door) files(v *visit) ([]share.File, bool) {
	files, err := d.Content.Files(v.t.ID)
	if err != nil {
		d.Logger.Debug("the files of a web link cannot be listed", "id", v.t.ID, "error", err)
		d.fail(v.w, v.r, http.StatusServiceUnavailable, "trouble")
		return nil, false
	}
	kept := files[:0]
	for _, f := range files {
		if f.Priority != share.Skip || f.Total > 0 && f.Bytes == f.Total {
			kept = append(kept, f)
		}
	}
	return kept, true
}

// complete reports whether all of a file can be sent.
func complete(t *share.Transfer, f *share.File) bool { return f.Bytes == f.Total && Serves(t) }

// Serves reports whether the owner serves a transfer now.
func Serves(t *share.Transfer) bool {
	return t.State != share.Paused && t.State != share.Waiting && t.State != share.Stopped && t.State != share.Hashing
}

// one finds the file that the rest of the path names.
func (d *Door) one(v *visit) (*share.File, bool) {
	files, ok := d.files(v)
	if !ok {
		return nil, false
	}
	return d.pick(v, files)
}

// pick is one, among files.
func (d *Door) pick(v *visit, files []share.File) (*share.File, bool) {
	for i := range files {
		if files[i].Path == v.rest {
			if !complete(&v.t, &files[i]) {
				d.later(v)
				return nil, false
			}
			return &files[i], true
		}
	}
	d.missing(v)
	return nil, false
}

// file sends a file to be saved.
func (d *Door) file(v *visit) {
	if f, ok := d.one(v); ok {
		d.send(v, f, true)
	}
}

// inline sends a file for a page that shows it.
func (d *Door) inline(v *visit) {
	if f, ok := d.one(v); ok {
		if !d.shows(&v.link, f) {
			d.missing(v)
			return
		}
		d.send(v, f, false)
	}
}

// shows reports whether a page may show a file.
func (d *Door) shows(l *Link, f *share.File) bool {
	return l.MaxDownloads == 0 && api.Shown(f.Path) != ""
}

// send sends the content of a file, which is a download if save is true.
func (d *Door) send(v *visit, f *share.File, save bool) {
	ctx, leave, ok := d.enter(v)
	if !ok {
		return
	}
	defer leave()
	up, err := d.Uploads(v.t.ID, v.r)
	if err != nil {
		d.unreadable(v, err)
		return
	}
	defer up.End()
	r, err := d.open(ctx, v.t.ID, f.Index)
	if err != nil {
		d.unreadable(v, err)
		return
	}
	defer r.Close()
	etag := fmt.Sprintf(`"%s-%d"`, v.t.ID, f.Index)
	if save {
		leave, ok := d.turn(v, asked(v.r, etag, f.Total))
		if !ok {
			return
		}
		defer leave()
	}
	api.ContentHeader(v.w.Header(), path.Base(f.Path))
	if save {
		v.w.Header().Set("Content-Disposition", api.Disposition("attachment", path.Base(f.Path)))
	}
	d.serve(v, etag, &paced{r, ctx, up}, f.Total, save)
}

// serve sends content and counts it as a download when all of it was sent.
func (d *Door) serve(v *visit, etag string, content *paced, size int64, counts bool) {
	if strings.Contains(v.r.Header.Get("Range"), ",") {
		v.r.Header.Del("Range") // several ranges at once cost much and nobody needs them
	}
	m := &meter{ResponseWriter: v.w, sent: content.up.Sent}
	api.ServeContent(m, v.r, etag, content)
	if !counts || !m.sends || v.r.Method != http.MethodGet {
		return
	}
	if d.downloads.sent(download{v.link.ID, v.r.URL.Path}, span{m.begin, m.begin + m.n}, size) {
		if err := d.Links.Count(v.link.ID); err != nil {
			d.Logger.Error("a download of a web link was not counted", "link", v.link.ID, "error", err)
		}
	}
}

// turn begins a download. Of a link with a maximum that has as many under way as it has left
// it answers that.
func (d *Door) turn(v *visit, part span) (leave func(), ok bool) {
	if v.link.MaxDownloads == 0 || v.r.Method != http.MethodGet {
		return func() {}, true
	}
	me := &turn{what: v.r.URL.Path, part: part, network: network(remote(v.r)), end: v.end}
	left := 0
	leave, ok = d.turns.take(v.link.ID, me, func() int {
		if now, ok := d.Links.Get(v.link.ID); ok && !d.Links.Ended(&now) {
			left = now.MaxDownloads - now.Downloads
		}
		return left
	})
	switch {
	case ok:
		return leave, true
	case left == 0: // the last one ended since this request began
		d.fail(v.w, v.r, http.StatusNotFound, "nothing")
	default:
		v.w.Header().Set("Retry-After", "60")
		d.say(v.w, v.r, http.StatusServiceUnavailable, "taken", v.link.Path()+"/")
	}
	return nil, false
}

func (d *Door) all(v *visit) {
	if v.rest != archiveName(v.t.Name) {
		d.missing(v)
		return
	}
	d.pack(v, "", v.rest)
}

func (d *Door) zip(v *visit) {
	below, ok := strings.CutSuffix(v.rest, ".zip")
	if !ok || below == "" {
		d.missing(v)
		return
	}
	d.pack(v, below, archiveName(path.Base(below)))
}

func archiveName(of string) string { return of + ".zip" }

// pack sends the files below a folder as one archive.
func (d *Door) pack(v *visit, below, name string) {
	files, ok := d.files(v)
	if !ok {
		return
	}
	in := files[:0]
	for _, f := range files {
		if below != "" && !strings.HasPrefix(f.Path, below+"/") {
			continue
		}
		if !complete(&v.t, &f) {
			d.later(v)
			return
		}
		in = append(in, f)
	}
	if len(in) == 0 {
		d.missing(v)
		return
	}
	a, err := newArchive(v.t, in)
	if err != nil {
		d.unreadable(v, err)
		return
	}
	ctx, leave, ok := d.enter(v)
	if !ok {
		return
	}
	defer leave()
	up, err := d.Uploads(v.t.ID, v.r)
	if err != nil {
		d.unreadable(v, err)
		return
	}
	defer up.End()
	defer a.Close()
	a.ctx = ctx
	a.open = func(ctx context.Context, file int) (io.ReadSeekCloser, error) { return d.open(ctx, v.t.ID, file) }
	a.sum = func(ctx context.Context, file int) (uint32, error) { return d.sums.of(ctx, fileOf{v.t.ID, file}) }
	etag := a.etag(v.t.ID)
	leaveTurn, ok := d.turn(v, asked(v.r, etag, a.size))
	if !ok {
		return
	}
	defer leaveTurn()
	api.ContentHeader(v.w.Header(), name)
	v.w.Header().Set("Content-Type", "application/zip")
	d.serve(v, etag, &paced{a, ctx, up}, a.size, true)
}

// enter takes a seat for an answer that may take long. The answer ends when its link is
// revoked or somebody else needs the seat.
func (d *Door) enter(v *visit) (ctx context.Context, leave func(), ok bool) {
	control := http.NewResponseController(v.w)
	ctx, cancel := context.WithCancel(v.r.Context())
	end := func() {
		cancel()
		// A write that waits for the reader ends, and so does a read.
		_ = control.SetWriteDeadline(time.Now())
		_ = control.SetReadDeadline(time.Now())
	}
	v.end = end
	up, ok := d.seats.take(remote(v.r), &v.link, end)
	if !ok {
		cancel()
		v.w.Header().Set("Retry-After", seatsWaiting)
		d.fail(v.w, v.r, http.StatusServiceUnavailable, "busy")
		return nil, nil, false
	}
	d.Patience(v.w, v.r)
	return ctx, func() { up(); cancel() }, true
}

// open opens a file whose reads do not wait for long.
func (d *Door) open(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	r, err := d.Content.Open(ctx, id, file)
	if err != nil {
		cancel()
		return nil, err
	}
	return &timed{r, cancel}, nil
}

// timed ends a read that waits for what may never come, such as a piece that was damaged
// since the request began.
type timed struct {
	io.ReadSeekCloser
	cancel context.CancelFunc
}

func (t *timed) Read(p []byte) (int, error) {
	late := time.AfterFunc(readTime, t.cancel)
	defer late.Stop()
	return t.ReadSeekCloser.Read(p)
}

func (t *timed) Close() error {
	t.cancel()
	return t.ReadSeekCloser.Close()
}

func (d *Door) unreadable(v *visit, err error) {
	d.Logger.Debug("the content of a web link cannot be read", "id", v.t.ID, "error", err)
	d.fail(v.w, v.r, http.StatusServiceUnavailable, "trouble")
}

func (d *Door) tooMany(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "20")
	d.fail(w, r, http.StatusTooManyRequests, "many")
}

// escape writes a path for a URL.
func escape(p string) string {
	elements := strings.Split(p, "/")
	for i, e := range elements {
		elements[i] = url.PathEscape(e)
	}
	return strings.Join(elements, "/")
}

// kind is image, audio or video; empty for what is none of these.
func kind(name string) string {
	media, _, err := mime.ParseMediaType(api.Shown(name))
	if err != nil {
		return ""
	}
	major, _, _ := strings.Cut(media, "/")
	return major
}
