//go:build linux

package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// webLink is what share --json says of a web link.
type webLink struct {
	Web struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	} `json:"web_link"`
}

// A host that has curl and wget, and nothing of shoal, fetches a file, and a folder as an
// archive whose download breaks off and goes on. A wrong link and one that has ended are
// answered alike.
//
//	alice ── router ── core ── router ── bob, curl and wget
func TestWebLinkWithCurl(t *testing.T) {
	t.Parallel()
	curl, unzip := lab.Tool(t, "curl", "curl"), lab.Tool(t, "unzip", "unzip")
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), net.Home("bob")
	folder := smallFolder(t)
	alice.StartCmd(alice.command("daemon", "--listen", "[::]:7000", "--web-link-listen", "[::]:8080")).Event("ready", nil)
	var made webLink
	alice.StartCmd(alice.bare("share", "--json", "--state", alice.state, "--web-link", folder)).Event("shared", &made)
	if !strings.HasPrefix(made.Web.URL, "http://"+alice.At(8080)+"/s/") {
		t.Fatalf("the web link is %q, and alice is at %s", made.Web.URL, alice.At(8080))
	}

	into := t.TempDir()
	archive := filepath.Join(into, "all.zip")
	zip := made.Web.URL + "/all/" + url.PathEscape(filepath.Base(folder)) + ".zip"
	page := bob.Run(curl, "-gsfL", made.Web.URL)
	if !strings.Contains(page, "large.bin") || !strings.Contains(page, "not encrypted") {
		t.Errorf("the page is\n%s", page)
	}
	bob.Run(curl, "-gsf", "-r", "0-99999", "-o", archive, zip) // which broke off
	bob.Run(curl, "-gsf", "-C", "-", "-o", archive, zip)
	unpacked := t.TempDir()
	if out, err := exec.Command(unzip, "-q", archive, "-d", unpacked).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, e := range snapshot(t, folder) {
		if e.Mode.IsRegular() {
			identical(t, filepath.Join(folder, name), filepath.Join(unpacked, filepath.Base(folder), name))
		}
	}
	large := filepath.Join(into, "large.bin")
	if wget, err := exec.LookPath("wget"); err == nil {
		bob.Run(wget, "-q", "-O", large, made.Web.URL+"/file/large.bin")
	} else {
		bob.Run(curl, "-gsf", "-o", large, made.Web.URL+"/file/large.bin")
	}
	identical(t, filepath.Join(folder, "large.bin"), large)

	answer := func(at string) []byte {
		to := filepath.Join(into, "answer")
		bob.Run(curl, "-gs", "-o", to, "-w", "%{http_code}", at)
		b, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	wrong := answer(made.Web.URL[:len(made.Web.URL)-1] + "0/")
	if end := alice.StartCmd(alice.bare("remove", "--state", alice.state, "--web-link", made.Web.ID)); end.Wait() != 0 {
		t.Fatal(end.Stderr())
	}
	if ended := answer(made.Web.URL + "/"); !bytes.Equal(ended, wrong) || !bytes.Contains(ended, []byte("There is nothing here")) {
		t.Errorf("a link that has ended:\n%s\na wrong one:\n%s", ended, wrong)
	}
}

// A zip of 10,000 files is sent as it is read: the node's memory grows by a part of its
// size. Twice as much as it holds may be garbage, so the bound is a quarter of the archive:
// whoever keeps the archive, or half of it, fails.
//
//	alice ── router ── core ── router ── bob, curl
func TestAZipOfManyFilesStreams(t *testing.T) {
	const many, each = 10_000, 16 << 10
	curl := lab.Tool(t, "curl", "curl")
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), net.Home("bob")
	folder := filepath.Join(t.TempDir(), "many")
	content := make([]byte, each)
	for i := range many {
		dir := filepath.Join(folder, fmt.Sprint(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		copy(content, fmt.Sprintf("file %05d", i))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.bin", i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	daemon := alice.StartCmd(alice.command("daemon", "--listen", "[::]:7000", "--web-link-listen", "[::]:8080"))
	daemon.Event("ready", nil)
	var made webLink
	alice.StartCmd(alice.bare("share", "--json", "--state", alice.state, "--web-link", folder)).Event("shared", &made)

	// The peak that the kernel keeps begins anew.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", daemon.PID()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	before := status(t, daemon.PID(), "VmHWM") << 10
	archive := filepath.Join(t.TempDir(), "all.zip")
	bob.Run(curl, "-gsf", "-o", archive, made.Web.URL+"/all/many.zip")
	grown := status(t, daemon.PID(), "VmHWM")<<10 - before

	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if len(z.File) != many {
		t.Errorf("the archive has %d files", len(z.File))
	}
	for _, f := range []*zip.File{z.File[0], z.File[many/2], z.File[many-1]} {
		if r, err := f.Open(); err != nil {
			t.Error(err)
		} else if _, err := io.Copy(io.Discard, r); err != nil { // compares the checksum
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	size := int64(many * each)
	t.Logf("an archive of %d MiB: %d MiB were resident before it, and %d KiB more at most while it was sent", size>>20, before>>20, grown>>10)
	if grown > size/4 {
		t.Errorf("the node has grown by %d bytes for an archive of %d", grown, size)
	}
}
