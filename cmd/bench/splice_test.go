//go:build linux

package main

import "testing"

func TestSplice(t *testing.T) {
	const doc = "head\n" + begin + "\n" + end + "\ntail\n"
	names := []string{"one", "two", "three"}
	apply := func(doc string, fresh map[string]string) string {
		t.Helper()
		out, err := spliced(doc, fresh, names)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := apply(doc, map[string]string{"three": "### 3", "one": "### 1\n"})
	want := "head\n" + begin + "\n" +
		"<!-- bench section one -->\n\n### 1\n\n" +
		"<!-- bench section three -->\n\n### 3\n\n" + end + "\ntail\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Only what was measured anew changes, and the order stays.
	again := apply(got, map[string]string{"two": "### 2"})
	want = "head\n" + begin + "\n" +
		"<!-- bench section one -->\n\n### 1\n\n" +
		"<!-- bench section two -->\n\n### 2\n\n" +
		"<!-- bench section three -->\n\n### 3\n\n" + end + "\ntail\n"
	if again != want {
		t.Errorf("got %q, want %q", again, want)
	}
	if same := apply(again, nil); same != again {
		t.Errorf("nothing measured changes %q into %q", again, same)
	}
	for _, bad := range []string{"", begin, end + begin, begin + opening + "four" + closing + end} {
		if out, err := spliced(bad, nil, names); err == nil {
			t.Errorf("%q became %q", bad, out)
		}
	}
}
