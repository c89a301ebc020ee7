package metainfo

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

const corpusDir = "../../../shared/corpus" // beside the repository

func readTable(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[string]string)
	for _, row := range rows[1:] {
		table[row[0]] = row[1]
	}
	return table
}

// Torrents made to break a reader get the verdict that hostile.tsv gives with
// the reason.
func TestHostileTorrents(t *testing.T) {
	verdicts := make(map[string]bool)
	for file, verdict := range readTable(t, "testdata/hostile.tsv") {
		verdicts[file] = verdict == "ok"
	}
	judge(t, "testdata/hostile", verdicts)
}

// Each torrent of libtorrent's own tests gets the verdict that libtorrent gives.
// They are not ours to keep in this repository.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpusDir); err != nil {
		t.Logf("libtorrent's torrents are not at %s, beside the repository: only our own were judged", corpusDir)
		return
	}
	verdicts := make(map[string]bool)
	for file, verdict := range readTable(t, filepath.Join(corpusDir, "torrents.tsv")) {
		verdicts[file] = verdict == "ok"
	}
	judge(t, filepath.Join(corpusDir, "torrents"), verdicts)
}

// judge reads every torrent in dir; verdicts tell which are accepted.
func judge(t *testing.T, dir string, verdicts map[string]bool) {
	files, err := filepath.Glob(filepath.Join(dir, "*.torrent"))
	if err != nil || len(files) < len(verdicts) || len(files) == 0 {
		t.Fatalf("%d verdicts for %d files; %v", len(verdicts), len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			torrent, err := Parse(b)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
				t.Errorf("took %d bytes of memory for %d bytes of torrent", used, len(b))
			}
			want, known := verdicts[name]
			switch {
			case !known:
				t.Errorf("no verdict is recorded; ours is %v", err)
			case want && err != nil:
				t.Errorf("refused: %v", err)
			case !want && err == nil:
				t.Error("accepted")
			case !want && share.KindOf(err) != share.Refused:
				t.Errorf("the error is of kind %v: %v", share.KindOf(err).Code(), err)
			case !want && strings.ContainsAny(err.Error(), "\n\x1b"):
				t.Errorf("the error is not fit for a terminal: %q", err)
			}
			if err == nil {
				checkSound(t, torrent.Info)
				checkEncode(t, torrent)
			}
		})
	}
}
