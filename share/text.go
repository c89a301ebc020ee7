package share

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is a sentence of the node in two parts, so that a page can say it in another
// language: Pattern is the English sentence with {0}, {1} and so on in place of Args,
// and the key of its translations. An element of Args is a string, an integer or
// another Text.
type Text struct {
	Pattern string `json:"pattern" doc:"the English sentence, with {0}, {1} and so on for the elements of args"`
	Args    []any  `json:"args,omitempty" doc:"each a string, an integer or another text"`
}

// Say is fmt.Sprintf for a Text. An argument that is an error or a Text becomes a Text
// in Args if its verb is %s, %v or %w.
func Say(format string, args ...any) Text {
	t := Text{}
	var pattern strings.Builder
	for rest := format; rest != ""; {
		literal, after, found := strings.Cut(rest, "%")
		pattern.WriteString(literal)
		if !found {
			break
		}
		verb, more := cutVerb(after)
		rest = more
		switch {
		case verb == "%":
			pattern.WriteByte('%')
			continue
		case verb == "" || strings.ContainsAny(verb, "*[") || len(t.Args) == len(args):
			return plain(fmt.Errorf(format, args...).Error())
		}
		fmt.Fprintf(&pattern, "{%d}", len(t.Args))
		t.Args = append(t.Args, argument("%"+verb, args[len(t.Args)]))
	}
	t.Pattern = pattern.String()
	if inner, ok := t.only(); ok {
		return inner
	}
	return t
}

// Count is a number of things, with the noun in its singular or plural.
func Count(n int, one, other string) Text {
	if n == 1 {
		return Say("%d "+one, n)
	}
	return Say("%d "+other, n)
}

// plain is the Text of a sentence with nothing to fill in.
func plain(s string) Text { return Text{Pattern: s} }

// only is the Text that t consists of, if it adds nothing to one.
func (t Text) only() (inner Text, ok bool) {
	if t.Pattern == "{0}" && len(t.Args) == 1 {
		inner, ok = t.Args[0].(Text)
	}
	return inner, ok
}

// cutVerb cuts a verb, with its flags, off what follows a percent sign.
func cutVerb(s string) (verb, rest string) {
	flags := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("+-# 0123456789.*[]", r) })
	if flags < 0 {
		return "", ""
	}
	_, size := utf8.DecodeRuneInString(s[flags:])
	return s[:flags+size], s[flags+size:]
}

func argument(verb string, arg any) any {
	switch verb {
	case "%s", "%v", "%w":
		switch a := arg.(type) {
		case Text:
			return a
		case error:
			return TextOf(a)
		case string:
			return a
		}
		verb = "%v"
	case "%d":
		switch n := arg.(type) {
		case int:
			return int64(n)
		case int64:
			return n
		}
	}
	return fmt.Sprintf(verb, arg)
}

// TextOf is the message of err as a Text. Only errors of this package and of the system
// have a pattern; for others the whole message is the pattern.
func TextOf(err error) Text {
	var t Text
	switch e := err.(type) {
	case nil:
		return Text{}
	case *Error:
		t = TextOf(e.Err)
	case *formatted:
		t = Say(e.format, e.args...)
	case *fs.PathError:
		t = Say("%s %s: %w", e.Op, e.Path, e.Err)
	case *os.SyscallError:
		t = Say("%s: %w", e.Syscall, e.Err)
	case *net.OpError:
		t = after(e, e.Err)
	case *url.Error:
		t = after(e, e.Err)
	case interface{ Text() Text }:
		t = e.Text()
	case interface{ Unwrap() []error }: // errors.Join writes one a line
		for i, one := range e.Unwrap() {
			if i > 0 {
				t.Pattern += "\n"
			}
			t.Pattern += fmt.Sprintf("{%d}", i)
			t.Args = append(t.Args, TextOf(one))
		}
		if inner, ok := t.only(); ok {
			t = inner
		}
	}
	// A key that is quoted is hidden in the whole, where it can be told from other digits.
	if whole := Redact(err.Error()); t.String() != whole {
		return plain(whole)
	}
	return t
}

// after is an error of the system that ends with what caused it.
func after(err, cause error) Text {
	if cause == nil {
		return plain(err.Error())
	}
	return Say("%s: %w", strings.TrimSuffix(err.Error(), ": "+cause.Error()), cause)
}

// formatted is an error that remembers what it was made of.
type formatted struct {
	error
	format string
	args   []any
}

func (e *formatted) Unwrap() error { return e.error }

// Wrapf is fmt.Errorf, and its error has a Text. It has no Kind of its own.
func Wrapf(format string, args ...any) error {
	return &formatted{fmt.Errorf(format, args...), format, args}
}

// String is the English sentence.
func (t Text) String() string {
	if len(t.Args) == 0 {
		return t.Pattern
	}
	var b strings.Builder
	for rest := t.Pattern; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		b.WriteString(literal)
		if !found {
			break
		}
		digits, more, closed := strings.Cut(after, "}")
		n, err := strconv.Atoi(digits)
		if !closed || err != nil || n < 0 || n >= len(t.Args) {
			b.WriteByte('{')
			rest = after
			continue
		}
		fmt.Fprint(&b, t.Args[n])
		rest = more
	}
	return b.String()
}

// UnmarshalJSON gives the elements of Args the types that Say gives them.
func (t *Text) UnmarshalJSON(b []byte) error {
	var raw struct {
		Pattern string
		Args    []json.RawMessage
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*t = Text{Pattern: raw.Pattern}
	for _, r := range raw.Args {
		var inner Text
		var number int64
		var text string
		switch {
		case json.Unmarshal(r, &text) == nil:
			t.Args = append(t.Args, text)
		case json.Unmarshal(r, &number) == nil:
			t.Args = append(t.Args, number)
		case json.Unmarshal(r, &inner) == nil:
			t.Args = append(t.Args, inner)
		default:
			return fmt.Errorf("a text has the argument %.40q", r)
		}
	}
	return nil
}

// Of is t for JSON: nil if there is nothing to say.
func (t Text) Of() *Text {
	if t.Pattern == "" {
		return nil
	}
	return &t
}
