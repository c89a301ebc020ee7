package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/share"
)

func testVerbs() []*verb {
	return []*verb{
		{name: "get", flags: []cli.Flag{&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "into `DIR`"}, boolFlag("json", "lines")}},
		{name: "list", flags: []cli.Flag{boolFlag("json", "lines"), stringFlag("state", "`DIR`")}},
		{name: "version"},
		{name: "help"},
	}
}

func TestArrange(t *testing.T) {
	for in, want := range map[string]string{
		"get A B --output d":        "get --output d -- A B",
		"get A --output=d --json B": "get --output=d --json -- A B",
		"--json get A":              "get --json -- A",
		"--output d get A":          "get --output d -- A",
		"get -- --output":           "get -- --output",
		"get --output - A":          "get --output - -- A",
		"get - --json":              "get --json -- -",
		"get A -o d":                "get -o d -- A",
		"-o d get A":                "get -o d -- A",
		"get -o - A":                "get -o - -- A",
		"--state list list":         "list --state list --",
		"--version":                 "version --",
		"-h":                        "help --",
		"":                          "help --",
		"get --output --json A":     "get --output --json -- A",
	} {
		got, err := arrange(append([]string{"shoal"}, strings.Fields(in)...), testVerbs())
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if want := append([]string{"shoal"}, strings.Fields(want)...); !slices.Equal(got, want) {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestArrangeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"gte A":           `there is no verb "gte", did you mean get?`,
		"frobnicate":      `there is no verb "frobnicate" (`,
		"get --outptu d":  `get has no flag "--outptu", did you mean --output?`,
		"get --zzz":       `get has no flag "--zzz" (`,
		"get A --output":  `--output needs a value`,
		"list --output d": `list has no flag "--output"`,
		"--json":          `no verb given`,
		"-- get":          `no verb given`,
	} {
		_, err := arrange(append([]string{"shoal"}, strings.Fields(in)...), testVerbs())
		if share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func TestWantsJSON(t *testing.T) {
	t.Setenv("SHOAL_JSON", "")
	for in, want := range map[string]bool{
		"get --json": true, "--json": true, "get -- --json": false, "get": false, "get --json=false": false,
	} {
		if got := wantsJSON(append([]string{"shoal"}, strings.Fields(in)...)); got != want {
			t.Errorf("%q: %t", in, got)
		}
	}
	t.Setenv("SHOAL_JSON", "true")
	if !wantsJSON([]string{"shoal", "get"}) {
		t.Error("the environment does not count")
	}
}

func TestCandidates(t *testing.T) {
	transfers := func() []share.Transfer {
		return []share.Transfer{{ID: share.ID{0xab, 0xcd}, Name: "ph\x1boto"}, {ID: share.ID{0x12}, Name: "film"}}
	}
	vs := testVerbs()
	for _, v := range vs {
		v.group = groups[0]
	}
	vs = append(vs, &verb{name: "show", ids: true, group: groups[0]}, &verb{name: "secret"})
	for in, want := range map[string]string{
		"":              "get list version help show",
		"l":             "list",
		"sec":           "",
		"list --":       "--json --state",
		"list --state ": "",
		"show ":         "abcd0000 12000000",
		"show ab":       "abcd0000",
		"nope x":        "",
	} {
		var got []string
		for _, c := range candidates(strings.Split(in, " "), vs, transfers) {
			value, about, _ := strings.Cut(c, "\t")
			if strings.Contains(about, "\x1b") {
				t.Errorf("%q: %q is not escaped", in, about)
			}
			got = append(got, value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Each foreign verb leads to one of ours, and none of ours is foreign.
func TestForeignVerbs(t *testing.T) {
	ours := make(map[string]bool)
	var known []string
	for _, v := range verbs() {
		ours[v.name] = true
		known = append(known, v.name)
	}
	for word, verb := range foreign {
		if ours[word] {
			t.Errorf("%s is a verb of ours", word)
		}
		if !ours[verb] {
			t.Errorf("%s leads to %s, which is no verb", word, verb)
		}
	}
	for word, want := range map[string]string{
		"ls": "list", "LS": "list", "rm": "remove", "download": "get", "seed": "share", "gte": "get",
		"remov": "remove", "rmove": "remove", // a letter is missing
		"move": "", "recovery": "recover", "cover": "", "zzzzzz": "",
	} {
		if got := meant(word, known); got != want {
			t.Errorf("meant(%q) = %q, want %q", word, got, want)
		}
	}
}
