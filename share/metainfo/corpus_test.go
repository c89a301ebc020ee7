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

// Each torrent of the corpus gets the verdict that libtorrent gives, or the
// one that corpus-differences.tsv gives a reason for.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpusDir); err != nil {
		t.Skip("the corpus of torrents is not beside the repository, at ../shared/corpus")
	}
	expected := make(map[string]bool)
	for file, verdict := range readTable(t, filepath.Join(corpusDir, "torrents.tsv")) {
		expected["torrents/"+file] = verdict == "ok"
	}
	for file, verdict := range readTable(t, "testdata/corpus-differences.tsv") {
		if theirs, known := expected[file]; known && theirs == (verdict == "ok") {
			t.Errorf("%s: listed as a difference, but libtorrent has the same verdict", file)
		}
		expected[file] = verdict == "ok"
	}
	files, err := filepath.Glob(filepath.Join(corpusDir, "*", "*.torrent"))
	if err != nil || len(files) < len(expected) {
		t.Fatalf("%d verdicts for %d files; %v", len(expected), len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
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
			want, known := expected[name]
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
				checkEngineAgrees(t, torrent.Info)
				checkEncode(t, torrent)
			}
		})
	}
}
