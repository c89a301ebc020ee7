package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

type vectors struct {
	Padme  [][2]int64
	Shares []struct {
		About, Secret, Name, Manifest, SHA256 string
		TagKey                                string `json:"tag_key"`
		EncryptionKey                         string `json:"encryption_key"`
		Entries                               []struct {
			Depth   int
			Folder  bool
			Name    string
			Mode    uint16
			Time    int64
			Size    int64
			Pattern int
		}
		ManifestBytes  int    `json:"manifest_bytes"`
		ManifestSHA256 string `json:"manifest_sha256"`
		ContentsSHA256 string `json:"contents_sha256"`
		Bytes          int64
		Records        []struct {
			Kind    Kind
			Tag     string
			First16 string `json:"first_16"`
			Last16  string `json:"last_16"`
		}
	}
	Refused []struct{ About, Manifest string }
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors/sealed.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if len(v.Padme) == 0 || len(v.Shares) == 0 || len(v.Refused) == 0 {
		t.Fatal("vectors are missing")
	}
	return v
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// The vectors come from another implementation: testdata/vectors.py.
func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, p := range v.Padme {
		if got := padded(p[0]); got != p[1] {
			t.Errorf("%d records are padded to %d, not %d", p[0], got, p[1])
		}
	}
	for _, v := range v.Shares {
		t.Run(v.About, func(t *testing.T) {
			secret, err := share.ParseSecret(v.Secret)
			if err != nil {
				t.Fatal(err)
			}
			for what, want := range map[string]string{"tag": v.TagKey, "encryption": v.EncryptionKey} {
				if got, err := derive(secret, what, 32); hex.EncodeToString(got) != want {
					t.Errorf("the %s key is %x, %v", what, got, err)
				}
			}
			if got, err := Name(secret); got != v.Name {
				t.Errorf("the name is %s, %v", got, err)
			}

			var m Manifest
			var contents []byte
			var way []int
			for i, e := range v.Entries {
				way = append(way[:e.Depth], i)
				parent := -1
				if e.Depth > 0 {
					parent = way[e.Depth-1]
				}
				m.Entries = append(m.Entries, Entry{
					Parent: parent, Name: e.Name, Folder: e.Folder, Mode: fs.FileMode(e.Mode), Time: time.Unix(0, e.Time).UTC(),
					Size: e.Size, Offset: int64(len(contents)),
				})
				contents = append(contents, text(e.Pattern, int(e.Size))...)
			}
			m.Contents = int64(len(contents))
			manifest, err := m.Encode()
			if err != nil || len(manifest) != v.ManifestBytes || sum(manifest) != v.ManifestSHA256 || v.Manifest != "" && hex.EncodeToString(manifest) != v.Manifest {
				t.Fatalf("the manifest is %x, %v", manifest, err)
			}
			if sum(contents) != v.ContentsSHA256 {
				t.Fatal("the contents are others")
			}

			s := makeShare(t, secret, manifest, bytes.NewReader(contents))
			l := s.sealer.Layout()
			if l.Size() != v.Bytes || l.Count() != int64(len(v.Records)) {
				t.Errorf("%d bytes in %d records", l.Size(), l.Count())
			}
			for n, r := range v.Records {
				rec := s.blob[n*RecordSize:][:RecordSize]
				for what, got := range map[string][2]string{
					"tag": {hex.EncodeToString(rec[:TagSize]), r.Tag}, "beginning": {hex.EncodeToString(rec[TagSize:][:16]), r.First16},
					"end": {hex.EncodeToString(rec[RecordSize-16:]), r.Last16},
				} {
					if got[0] != got[1] {
						t.Errorf("record %d: the %s is %s, not %s", n, what, got[0], got[1])
					}
				}
				if l.Kind(int64(n)) != r.Kind {
					t.Errorf("record %d is of kind %d", n, l.Kind(int64(n)))
				}
			}
			if sum(s.blob) != v.SHA256 {
				t.Errorf("the blob is another")
			}

			o, err := NewOpener(secret, bytes.NewReader(s.blob), int64(len(s.blob)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&m, o.Manifest); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			got, err := io.ReadAll(io.NewSectionReader(o, 0, m.Contents))
			if err != nil || !bytes.Equal(got, contents) || !bytes.Equal(o.Bytes, manifest) {
				t.Errorf("opened other contents, %v", err)
			}
		})
	}
	for _, v := range v.Refused {
		b, err := hex.DecodeString(v.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := ParseManifest(b); share.KindOf(err) != share.Refused {
			t.Errorf("%s: read as %+v, %v", v.About, m, err)
		}
	}
}
