package node

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// A link that reaches a line of the log, on whatever way, leaves its key behind.
func TestTheLogHasNoKeys(t *testing.T) {
	key := strings.Repeat("b1", share.SecretSize)
	link := "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&x.k=" + key
	for _, format := range []string{"text", "json"} {
		var log bytes.Buffer
		o := options(t, stateDir(t), nil)
		o.Stderr = &log
		o.Config.LogFormat, o.Config.Verbose = format, true
		n, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse("http://[::1]/?" + link)
		n.log.With("with", link).WithGroup("group").Error("reading "+link, "text", link, "error", fmt.Errorf("reading %q: %w", link, errors.New("no")),
			"url", u, "list", []string{link}, slog.Group("inner", "text", url.QueryEscape(link)))
		n.part("api").Debug("a part's line", "value", link)
		slog.NewLogLogger(n.part("http").Handler(), slog.LevelDebug).Print("a line of another package: ", link)
		if strings.Contains(log.String(), key[:16]) || strings.Count(log.String(), "(secret)") < 9 {
			t.Errorf("%s:\n%s", format, log.String())
		}
	}
}

// Preview answers whoever gave it the link, so that the page can give it on.
func TestPreviewKeepsTheKey(t *testing.T) {
	key := strings.Repeat("b1", share.SecretSize)
	link := "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&x.k=" + key
	s := open(t, options(t, stateDir(t), nil))
	defer closed(t, s)
	p, err := s.Client.Preview(testContext(t), api.PreviewRequest{Link: link})
	if err != nil || p.Link != link {
		t.Errorf("got %q, %v", p.Link, err)
	}
	_, err = s.Client.Preview(testContext(t), api.PreviewRequest{Link: link + "0"})
	if err == nil || strings.Contains(err.Error(), key[:16]) {
		t.Errorf("got %v", err)
	}
}
