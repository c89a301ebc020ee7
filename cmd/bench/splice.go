//go:build linux

package main

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// The sections stand between these lines of the file, each after a line of its
// own that names it.
const (
	begin   = "<!-- bench: begin, written by make bench -->\n"
	end     = "<!-- bench: end -->"
	opening = "<!-- bench section "
	closing = " -->\n"
)

// splice puts sections, by their names, into a file in the place of those it has
// by these names, and leaves its others as they are. New ones come in the order
// of names.
func splice(path string, fresh map[string]string, names []string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, err := spliced(string(data), fresh, names)
	if err != nil {
		return errors.New(path + " " + err.Error())
	}
	return os.WriteFile(path, []byte(out), 0o644)
}

func spliced(doc string, fresh map[string]string, names []string) (string, error) {
	head, rest, found := strings.Cut(doc, begin)
	old, tail, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return "", errors.New("has no bench markers")
	}
	all := make(map[string]string)
	for _, part := range strings.Split(old, opening)[1:] {
		name, text, ok := strings.Cut(part, closing)
		if !ok || !slices.Contains(names, name) {
			return "", errors.New("has a bench section that nothing writes: " + name)
		}
		all[name] = text
	}
	for name, text := range fresh {
		all[name] = "\n" + strings.TrimSpace(text) + "\n\n"
	}
	var b strings.Builder
	b.WriteString(head + begin + "\n")
	for _, name := range names {
		if text, ok := all[name]; ok {
			b.WriteString(opening + name + closing + text)
		}
	}
	b.WriteString(end + tail)
	return b.String(), nil
}
