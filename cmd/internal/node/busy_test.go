package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// To verify a share that is being hashed is a conflict, 409 (share.ErrBusy). It was a
// failure of the node, 500.
func TestVerifyingWhatIsBeingHashed(t *testing.T) {
	s := open(t, options(t, stateDir(t), nil))
	defer closed(t, s)
	path := filepath.Join(t.TempDir(), "long")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		t.Skipf("the disk makes no file with holes: %v", err)
	}
	first, err := s.Client.Share(testContext(t), api.ShareRequest{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Verify(testContext(t), first.ID); !errors.Is(err, share.ErrBusy) {
		t.Errorf("%v", err)
	}
	if now, err := s.Client.Transfer(testContext(t), first.ID); err != nil || now.State != share.Hashing {
		t.Errorf("%+v %v", now, err)
	}
	if _, err := s.Client.Remove(testContext(t), first.ID, false); err != nil {
		t.Error(err)
	}
}
