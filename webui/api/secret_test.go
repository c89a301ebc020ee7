package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// An answer to a bad request does not send back the request, which may have a link.
func TestProblemsHaveNoKey(t *testing.T) {
	f := newFake(1)
	_, _, base := serve(t, f)
	key := strings.Repeat("b1", share.SecretSize)
	link := "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&x.k=" + key
	long, _ := json.Marshal(map[string]any{"link": link + strings.Repeat("&a=b", share.MaxLink/4)})
	number, _ := json.Marshal(map[string]any{"link": link, "output": 1, "files": link, "colour": link})
	for name, body := range map[string]string{
		"too long": string(long), "other types": string(number), "no JSON": `{"link": "` + link, "no JSON at all": link, "a list": `["` + link + `"]`,
	} {
		for _, path := range []string{"/transfers", "/preview", "/shares", "/channels"} {
			resp, err := http.Post(base+Base+path, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode < 400 || resp.StatusCode >= 500 || strings.Contains(string(text), key[:16]) {
				t.Errorf("%s to %s: %s, %v\n%.300s", name, path, resp.Status, err, text)
			}
		}
	}
	f.fail = share.Errorf(share.Refused, "reading %q", link)
	resp, err := http.Post(base+Base+"/transfers", "application/json", strings.NewReader(`{"link":"magnet:?"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); strings.Contains(string(text), key[:16]) || !strings.Contains(string(text), "x.k=(secret)") {
		t.Errorf("an error of the node: %s", text)
	}
}
