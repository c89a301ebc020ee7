package metainfo

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
)

func TestCleanElement(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct{ in, want string }{
		{"a", "a"},
		{"two words", "two words"},
		{" leading space", " leading space"},
		{"🐟 fish 👨‍👩‍👧.txt", "🐟 fish 👨‍👩‍👧.txt"},
		{"\u0646\u0627\u0645\u0647\u200c\u0627\u06cc", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc"}, // Persian needs the joiner
		{"🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"},
		{"a/b", "a_b"},
		{`a\b`, "a_b"},
		{"/etc/passwd", "_etc_passwd"},
		{`C:\x`, "C:_x"},
		{"..", "_"},
		{".", "_"},
		{"...", "_"},
		{"", "_"},
		{" ", "_"},
		{".hidden", ".hidden"},
		{"..hidden", "..hidden"},
		{"trail. ", "trail"},
		{"trail ...", "trail"},
		{"a\x00b", "a_b"},
		{"a\nb\x1b[31m\x7f\u0085", "a_b_[31m__"},
		{"gpj\u202eexe", "gpj_exe"},
		{"\ufeffa\u200bb\u2066c\u2028d\u00ade", "_a_b_c_d_e"},
		{"a\xffb\xc3", "a_b_"},
		{"\xed\xa0\x80", "___"}, // half a surrogate
		{"con", "_con"},
		{"CON.tar.gz", "_CON.tar.gz"},
		{"aux .txt", "_aux .txt"},
		{"COM1", "_COM1"},
		{"lpt¹.x", "_lpt¹.x"},
		{"com10", "com10"},
		{"console", "console"},
		{"nul.", "_nul"},
		{long, long[:255]},
		{long + ".jpeg", long[:250] + ".jpeg"},
		{strings.Repeat("é", 200) + ".jpeg", strings.Repeat("é", 125) + ".jpeg"},
		{strings.Repeat("é", 200), strings.Repeat("é", 127)},
		{long[:250] + ". .x", long[:250] + ". .x"},
		{long[:254] + " " + long, long[:254]},
		{"con." + long, "_con." + long[:250]},
	} {
		if got := cleanFor([]byte(tt.in), older); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// Names that are ordinary on Linux stay as they are: the kernel's aux.c, a log
// called con.log, systemd's escaped units, a sentence, a trailing space. What is
// dangerous anywhere does not.
func TestNamesStayAsTheyAre(t *testing.T) {
	for _, name := range []string{
		"aux.c", "con.log", "CON", `dev-disk-by\x2duuid.swap`, "What is love...", "trailing.", "sp ace. ", " lead", "a:b*c?.txt",
		"~user", "-rf", "$(id)", "...", " ", "soft\u00adhyphen", "zero\u200bwidth", "\u0646\u200c",
	} {
		if got := cleanFor([]byte(name), asNamed); got != name {
			t.Errorf("%q became %q", name, got)
		}
	}
	for name, want := range map[string]string{
		"": "_", ".": "_", "..": "_", "a/b": "a_b", "a\x00b": "a_b", "nl\nhere": "nl_here", "gpj\u202eexe": "gpj_exe",
		"a\u2028b": "a_b", "a\xffb": "a_b",
	} {
		if got := cleanFor([]byte(name), asNamed); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

// Older records leave out names that are as the torrent has them, by the rules of
// then.
func TestOlderNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Byte(), 0, 250).Draw(t, "raw")
		if dropped(in) {
			return
		}
		if got, want := cleanFor([]byte(cleanFor(in, asNamed)), older), cleanFor(in, older); got != want {
			t.Fatalf("%q: %q, then %q", in, got, want)
		}
	})
}

func TestCleanElementForWindows(t *testing.T) {
	const in = `a<b>c:d"e|f?g*h`
	if got := cleanFor([]byte(in), windows); got != "a_b_c_d_e_f_g_h" {
		t.Errorf("got %q", got)
	}
	if got := cleanFor([]byte(in), older); got != in {
		t.Errorf("elsewhere got %q", got)
	}
}

func TestCleanElementIsSafeAndStays(t *testing.T) {
	part := rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"con", "NUL", ".", "..", " ", "/", "\\", "é", strings.Repeat("é", 200), strings.Repeat(". ", 200)}),
	)
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOfN(part, 0, 6).Draw(t, "parts"), "")
		for _, r := range []rules{asNamed, older, windows} {
			got := cleanFor([]byte(in), r)
			checkClean(failer{t: t}, got, r)
			if !share.IsName(got) {
				t.Fatalf("%q is cleaned to %q, which is no name", in, got)
			}
			if again := cleanFor([]byte(got), r); again != got {
				t.Fatalf("%q is cleaned to %q and then to %q", in, got, again)
			}
		}
	})
}

// failer lets checkName report to rapid.
type failer struct {
	testing.TB
	t *rapid.T
}

func (f failer) Helper()                           { f.t.Helper() }
func (f failer) Errorf(format string, args ...any) { f.t.Errorf(format, args...) }

func TestCleanElementOfMegabytes(t *testing.T) {
	got := cleanElement([]byte(strings.Repeat("\xff", 9<<20) + ".txt"))
	if len(got) != MaxName || !strings.HasSuffix(got, ".txt") {
		t.Errorf("got %d bytes", len(got))
	}
}

// What a torrent calls a file is kept where the file is not called so.
func TestNamed(t *testing.T) {
	long := strings.Repeat("x", 300)
	in, err := ParseInfo(enc(multi(
		file(1, "plain"), file(1, "sub", "gpj\u202eexe"), file(1, "tab\there"), file(1, "latin\xe9"), file(1, "..", "up"), file(1, long),
		with(file(16378, ".pad", "a\nb"), dict{"attr": "p"}), file(1, "a", "b"),
	)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]string{
		1: "sub/gpj\u202eexe", 2: "tab\there", 3: "latin\ufffd", 4: "../up", 5: long[:MaxName],
	}
	if diff := cmp.Diff(want, in.Named); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if in, err = ParseInfo(enc(single(dict{"name": "one\nline"}))); err != nil || in.Named[0] != "one\nline" || in.Files[0].Path[0] != "one_line" {
		t.Errorf("%+v, %v", in, err)
	}
	if in, err = ParseInfo(enc(single(nil))); err != nil || in.Named != nil {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestNamesOfOtherSystems(t *testing.T) {
	for name, want := range map[string]string{"aux.c": "_aux.c", "a:b": "a_b", "end. ": "end", "plain é": "plain é"} {
		if got := WindowsName(name); got != want {
			t.Errorf("%q is called %q on Windows, want %q", name, got, want)
		}
	}
	want := map[string]string{"aux.c": "_aux.c", "a:b": "a:b", "end. ": "end"}
	if runtime.GOOS == "windows" {
		want = map[string]string{"plain": "plain"}
	}
	for name, old := range want {
		if got := OlderName(name); got != old {
			t.Errorf("%q was called %q, want %q", name, got, old)
		}
	}
}
