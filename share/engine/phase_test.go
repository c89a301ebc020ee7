package engine

import (
	"fmt"
	"strings"
	"testing"
)

// Every level and every event: what is begun, and where it leads.
func TestSteps(t *testing.T) {
	const table = `
          at rest         opened         live
nothing   -               -              -
more      open>opened     attach>live    -
less      -               close>rest     detach>opened
checks    -               check>opened   -
leaves    remove>rest     remove>rest    -
forgets   restart>rest    -              -
copies    -               copy>opened    -
keeps     -               keep>opened    keep>live
reads     hash>rest       -              -
asks      ask>rest        -              -`
	jobs := map[jobKind]string{
		jobHash: "hash", jobAsk: "ask", jobOpen: "open", jobAttach: "attach", jobCheck: "check", jobCopy: "copy", jobKeep: "keep",
		jobRestart: "restart", jobDetach: "detach", jobClose: "close", jobRemove: "remove",
	}
	levels := map[level]string{atRest: "rest", opened: "opened", live: "live"}
	rows := strings.Split(table, "\n")[2:]
	count := 0
	for ev, text := range rows {
		fields := strings.Fields(text)[1:]
		for is := atRest; is <= live; is++ {
			got := "-"
			if s, ok := steps[is][event(ev)]; ok {
				count++
				got = jobs[s.do] + ">" + levels[s.to]
			}
			if got != fields[is] {
				t.Errorf("%s, %s: %s, want %s", levels[is], strings.Fields(text)[0], got, fields[is])
			}
		}
	}
	if len(rows) != int(asks)+1 {
		t.Errorf("%d events are in the table, %d there are", len(rows), asks+1)
	}
	all := 0
	for _, m := range steps {
		all += len(m)
	}
	if all != count {
		t.Errorf("%d steps there are, %d the table has", all, count)
	}
}

// everyFacts calls f with all combinations that can be.
func everyFacts(f func(facts)) {
	for is := atRest; is <= live; is++ {
		for bits := range 1 << 21 {
			x := facts{is: is}
			for i, b := range []*bool{
				&x.halted, &x.unhashed, &x.made, &x.strange, &x.restart, &x.removing, &x.erasing, &x.glancing, &x.faulty, &x.changed,
				&x.verify, &x.unknown, &x.doubt, &x.mayCheck, &x.copying, &x.paused, &x.done, &x.slot, &x.waited, &x.streamed,
				&x.layered,
			} {
				*b = bits&(1<<i) != 0
			}
			switch {
			case x.erasing && !x.removing || x.changed && !x.faulty:
			case is == atRest && (x.faulty || x.unknown || x.doubt || x.mayCheck || x.layered):
			case is > atRest && x.strange: // what is not known cannot be opened
			case is > atRest && x.unhashed && !x.made: // closed at once
			default:
				f(x)
				if is == live && x.done {
					x.warm = true
					f(x)
				}
			}
		}
	}
}

// In every case there is a step that leads to where the transfer should be, and
// what must never be is not.
func TestEveryCaseHasItsStep(t *testing.T) {
	failed := 0
	complain := func(x facts, format string, args ...any) {
		if failed++; failed < 10 {
			t.Errorf("%s: %+v", fmt.Sprintf(format, args...), x)
		}
	}
	everyFacts(func(x facts) {
		want := x.wants()
		ev := x.event(want)
		s, ok := steps[x.is][ev]
		switch {
		case ok && want > x.is && s.to != x.is+1:
			complain(x, "it should wake, but %v", s)
		case ok && want < x.is && s.to >= x.is:
			complain(x, "it should rest, but %v", s)
		case ok && want == x.is && s.to != x.is && ev != leaves:
			complain(x, "it is as it should be, but %v", s)
		case !ok && want != x.is:
			complain(x, "it should be at %v, and nothing is done", want)
		case x.layered && want == x.is && !ok:
			complain(x, "its piece layers are not kept")
		case !ok && x.removing:
			complain(x, "it is to be removed, and nothing is done")
		}
		switch {
		case x.halted && want != atRest:
			complain(x, "it has failed, but should be at %v", want)
		case want == live && x.removing:
			complain(x, "it is being removed, but should be live")
		case want == live && x.paused && !x.glancing:
			complain(x, "it is paused, but should be live")
		case want == live && x.is < live && (x.verify || x.unknown):
			complain(x, "its content is not known, but should be served")
		case want == live && x.is < live && x.faulty && !x.changed:
			complain(x, "its storage has a fault, but should be used")
		}
		// If every step works, it gets there and stays.
		for range 4 {
			if want = x.wants(); want == x.is || x.removing {
				return
			}
			x.is = steps[x.is][x.event(want)].to
			if x.is == atRest {
				x.faulty, x.changed, x.unknown, x.doubt, x.mayCheck, x.made = false, false, false, false, false, false
			}
			x.warm = x.warm && x.is == live
		}
		complain(x, "it does not come to rest at any level")
	})
}
