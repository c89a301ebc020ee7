package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
)

// setPassword asks for the password of the web page and passes it to the running
// node, or saves it for the next one.
func setPassword(ctx context.Context, cfg *config.Config, out *output) error {
	password, err := askPassword(ctx, os.Stdin, out, "New password (empty removes it): ")
	if err != nil {
		return err
	}
	switch s, err := node.Dial(ctx, cfg.State); {
	case err == nil:
		defer s.Close()
		err = s.Client.SetPassword(ctx, password)
		if err != nil {
			return err
		}
	case kindOf(err) != share.NoNode:
		return err
	default:
		if err := node.SetPassword(cfg.State, password); err != nil {
			return err
		}
	}
	if password == "" {
		out.say("the password is removed: the page works only on this machine")
	} else {
		out.say("the password is set; browsers that were signed in must sign in again")
	}
	return nil
}

// askPassword reads a password twice from a terminal without echo, or once from
// the first line of any other input.
func askPassword(ctx context.Context, in *os.File, out *output, prompt string) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", share.Errorf(share.Failed, "reading the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var first string
	for i, prompt := range []string{prompt, "Repeat the password: "} {
		out.ask(prompt)
		word, err := readUnseen(ctx, in)
		out.say("")
		if err != nil {
			return "", err
		}
		if i == 0 {
			first = word
		} else if word != first {
			return "", usageErrorf("the two passwords differ")
		}
	}
	return first, nil
}

// readUnseen reads a line without echo. If ctx ends first, it restores the state of
// the terminal.
func readUnseen(ctx context.Context, in *os.File) (string, error) {
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", share.Errorf(share.Failed, "reading the password: %w", err)
	}
	type answer struct {
		word []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		b, err := term.ReadPassword(int(in.Fd()))
		read <- answer{b, err}
	}()
	select {
	case a := <-read:
		if a.err != nil {
			return "", share.Errorf(share.Failed, "reading the password: %w", a.err)
		}
		return string(a.word), nil
	case <-ctx.Done():
		return "", errors.Join(errInterrupted, term.Restore(int(in.Fd()), before))
	}
}
