package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first line of each module of the page says what the module is for.
func TestEveryModuleOfThePageSaysItsJob(t *testing.T) {
	const root = "../../../webui/app/src"
	modules := 0
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".ts") && !strings.HasSuffix(path, ".tsx") {
			return err
		}
		modules++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if first, _, _ := strings.Cut(string(b), "\n"); !strings.HasPrefix(first, "// ") || !strings.HasSuffix(first, ".") {
			t.Errorf("%s does not begin with a comment that says its one job in a sentence: %s", strings.TrimPrefix(path, root+"/"), first)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if modules < 20 {
		t.Fatalf("found only %d modules", modules)
	}
}
