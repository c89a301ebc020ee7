package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/shoalnet/shoal/share"
)

// maxStdin bounds the links on standard input, in bytes.
const maxStdin = 1 << 20

// linkArgs returns the arguments of a verb that takes links, with those of standard
// input in the place of "-". There they are in no shell history and no process list.
func linkArgs(ctx context.Context, args []string, stdin *os.File, out *output) ([]string, error) {
	at := slices.Index(args, "-")
	if at < 0 {
		return args, nil
	}
	if slices.Contains(args[at+1:], "-") {
		return nil, usageErrorf("standard input can be read only once: give - once")
	}
	if term.IsTerminal(int(stdin.Fd())) {
		out.tell("Paste the links, one per line, and end with Ctrl-D on a line of its own.")
	}
	type read struct {
		links []string
		err   error
	}
	done := make(chan read, 1)
	go func() {
		links, err := readLinks(stdin)
		done <- read{links, err}
	}()
	select {
	case <-ctx.Done():
		return nil, errInterrupted
	case r := <-done:
		return slices.Concat(args[:at], r.links, args[at+1:]), r.err
	}
}

// readLinks reads one link per line. It skips empty lines and those that begin with #.
func readLinks(r io.Reader) ([]string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxStdin+1))
	switch {
	case err != nil:
		return nil, share.Errorf(share.Failed, "reading standard input: %w", err)
	case len(b) > maxStdin:
		return nil, share.Errorf(share.Refused, "standard input has more than %s; it takes links, one per line", size(maxStdin))
	case !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0:
		return nil, share.Errorf(share.Refused, "standard input is not text; it takes links, one per line (give a .torrent file by its name)")
	}
	var links []string
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\ufeff")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "-":
			return nil, usageErrorf("standard input has a line with nothing but -")
		case line != "" && line[0] != '#':
			links = append(links, line)
		}
	}
	if len(links) == 0 {
		return nil, usageErrorf("standard input has no link: write one per line")
	}
	return links, nil
}
