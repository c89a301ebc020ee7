package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

const (
	// sendTime is how long a sender may send nothing.
	sendTime = 45 * time.Second
	// maxParts bounds the parts of a form that are no files.
	maxParts = 1000
	// formAhead is more than the reader of a form has read of a part before it is asked for.
	formAhead = 64 << 10
	// tusMethods are those of the protocol.
	tusMethods = "POST, HEAD, PATCH, DELETE"
)

// reception is the part of a door that takes files.
type reception struct{ door *Door }

// A taking answers requests for one kind of path below a link for receiving.
type taking struct {
	methods string // separated by commas and spaces; GET includes HEAD
	open    bool   // also before the password was given
	answer  func(*reception, *visit)
}

// receiving is the whole door for links for receiving.
var receiving = map[string]taking{
	"":       {http.MethodGet, false, (*reception).sendPage},
	"form":   {http.MethodPost, false, (*reception).form},
	"files":  {tusMethods, false, (*reception).tus},
	"done":   {http.MethodPost, false, (*reception).done},
	"unlock": {http.MethodPost, true, (*reception).unlock},
	"where":  {http.MethodGet, true, (*reception).where},
}

// receive answers a request for a link for receiving.
func (r *reception) receive(v *visit, name string) {
	way, known := receiving[name]
	method := v.r.Method
	if method == http.MethodHead && way.methods == http.MethodGet {
		method = http.MethodGet
	}
	switch {
	case !known:
		r.door.missing(v)
	case !hasMethod(way.methods, method):
		v.w.Header().Set("Allow", way.methods)
		r.door.fail(v.w, v.r, http.StatusMethodNotAllowed, "method")
	case !way.open && !r.door.unlocked(v):
		r.door.ask(v, false)
	default:
		way.answer(r, v)
	}
}

func hasMethod(methods, method string) bool {
	for m := range strings.SplitSeq(methods, ", ") {
		if m == method {
			return true
		}
	}
	return false
}

func (r *reception) unlock(v *visit) { r.door.unlock(v) }

func (r *reception) where(v *visit) { r.door.where(v) }

type sendPage struct {
	frame
	Heading     string
	Action      string
	Base        string // of the link
	Size, Count string // that are left
	Until       string
	Arrived     []string
	Refused     []refusal
	Full        bool
}

// refusal is a file that was not taken.
type refusal struct{ Name, Why string }

func (r *reception) sendPage(v *visit) {
	if v.r.URL.Path != v.link.Path()+"/" {
		r.door.root(v)
		return
	}
	r.showSendPage(v, http.StatusOK, nil, nil)
}

func (r *reception) showSendPage(v *visit, status int, arrived []string, refused []refusal) {
	t, say := v.box.Terms(), r.door.pages.of(v.r)
	p := sendPage{
		frame: r.door.frame(v, say.say("send.title", t.Name)), Heading: t.Name, Action: v.link.Path() + "/form", Base: v.link.Path() + "/",
		Count: say.files(max(0, t.MaxFiles-t.Arrived-t.Unfinished)), Until: say.say("send.until"), Arrived: arrived, Refused: refused,
		Full: t.Arrived >= t.MaxFiles || t.MaxSize > 0 && t.Taken >= t.MaxSize,
	}
	if t.MaxSize > 0 {
		p.Size = say.bytes(t.MaxSize - t.Taken)
	}
	if !v.link.Expires.IsZero() {
		p.Until = say.when(v.link.Expires, r.door.Now())
	}
	v.w.Header().Set("Content-Security-Policy", r.door.pages.sendPolicy)
	r.door.pages.write(v.w, say, status, "send", p)
}

// patientBody gives a body time as long as it arrives.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(sendTime))
	return b.ReadCloser.Read(p)
}

// tus takes a file, or a part of one.
func (r *reception) tus(v *visit) {
	id := v.rest
	if strings.Contains(id, "/") || (id == "") != (v.r.Method == http.MethodPost) {
		r.door.missing(v)
		return
	}
	if v.r.ContentLength != 0 {
		ctx, leave, ok := r.door.enter(v)
		if !ok {
			return
		}
		defer leave()
		v.r = v.r.WithContext(ctx)
		v.r.Body = &pacedBody{v.r.Body, ctx, r.door.Intake}
	}
	// Set for every request with a body; this one is read to its end.
	v.w.Header().Del("Connection")
	api.ServeUpload(v.w, v.r, v.box, v.link.Path()+"/files", id, r.explain(v))
}

// explain says why a file was not taken, without what is the owner's business.
func (r *reception) explain(v *visit) func(error) (int, string) {
	say := r.door.pages.of(v.r).say
	return func(err error) (int, string) {
		status := api.UploadStatus(err)
		switch {
		case errors.Is(err, api.ErrTooLarge):
			return status, say("send.large")
		case errors.Is(err, api.ErrTooMany):
			return status, say("send.many")
		case errors.Is(err, api.ErrBadName):
			return status, say("send.name")
		case errors.Is(err, api.ErrNoRoom):
			return status, say("send.room")
		case share.KindOf(err) == share.Disk:
			r.door.Logger.Error("a file that somebody sends cannot be stored", "error", err)
			return status, say("send.disk")
		case errors.Is(err, share.ErrBusy):
			return http.StatusConflict, say("send.busy")
		}
		r.door.Logger.Debug("a file that somebody sends was not taken", "error", err)
		return status, say("send.failed")
	}
}

// done takes word that somebody has sent all that they wanted to.
func (r *reception) done(v *visit) {
	if v.rest != "" {
		r.door.missing(v)
		return
	}
	if err := v.box.Delivered(); err != nil {
		status, text := r.explain(v)(err)
		http.Error(v.w, text, status)
		return
	}
	v.w.WriteHeader(http.StatusNoContent)
}

// form takes files from a form. It reads them as they arrive: they are larger than memory.
func (r *reception) form(v *visit) {
	if v.rest != "" {
		r.door.missing(v)
		return
	}
	media, params, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	switch {
	case err != nil || media != "multipart/form-data" || params["boundary"] == "":
		r.door.fail(v.w, v.r, http.StatusUnsupportedMediaType, "form")
		return
	case v.r.ContentLength < 0:
		// The room for it could not be reserved.
		r.door.fail(v.w, v.r, http.StatusLengthRequired, "form")
		return
	}
	ctx, leave, ok := r.door.enter(v)
	if !ok {
		return
	}
	defer leave()
	say := r.door.pages.of(v.r).say
	count := &counter{r: &pacedBody{&patientBody{v.r.Body, http.NewResponseController(v.w)}, ctx, r.door.Intake}}
	arrived, refused, err := r.takeForm(ctx, v, multipart.NewReader(count, params["boundary"]), func() int64 { return v.r.ContentLength - count.n + formAhead })
	switch {
	case err != nil:
		r.door.Logger.Debug("a form with files broke off", "error", err)
		refused = append(refused, refusal{say("send.rest"), say("send.broke")})
	case len(arrived) == 0 && len(refused) == 0:
		refused = append(refused, refusal{"–", say("send.nothing")})
	case len(arrived) > 0:
		if err := v.box.Delivered(); err != nil {
			r.door.Logger.Debug("a delivery was not counted", "error", err)
		}
	}
	status := http.StatusOK
	if len(refused) > 0 {
		status = http.StatusUnprocessableEntity
	}
	r.showSendPage(v, status, arrived, refused)
}

// takeForm takes the files of a form. left is how many bytes of it are to come.
func (r *reception) takeForm(ctx context.Context, v *visit, form *multipart.Reader, left func() int64) (arrived []string, refused []refusal, err error) {
	for n := 0; ; n++ {
		part, err := form.NextPart()
		if err == io.EOF {
			return arrived, refused, nil
		}
		if err == nil && n >= v.box.Terms().MaxFiles+maxParts {
			err = fmt.Errorf("it has more than %d parts", n)
		}
		if err != nil {
			return arrived, refused, err
		}
		name := part.FileName()
		if name == "" {
			continue // no file was chosen, or it is no file
		}
		source := &source{r: part}
		f, err := v.box.Take(ctx, api.NewFile{Path: name, Size: max(0, left())}, source)
		if source.err != nil {
			return arrived, refused, source.err
		}
		if err != nil {
			_, why := r.explain(v)(err)
			refused = append(refused, refusal{name, why})
			continue
		}
		arrived = append(arrived, f.Path)
	}
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// source keeps why the reading of a form ended.
type source struct {
	r   io.Reader
	err error // not io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
