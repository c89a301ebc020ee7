// Command shoal keeps to itself what people type and see: verbs that share folders
// directly from the machine they are on, and download what others share.
//
// Its flags, JSON lines and exit statuses are a contract: scripts written
// against any 1.x release work with every later one. Each verb is in the file
// named after it; output.go states how all verbs print, status.go how they exit.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/share"
)

// verb is one entry of the command table. The parser, the help, the manual page
// and the completions are made from the table.
type verb struct {
	name     string
	args     string // as shown in the help: "LINK..."
	short    string // one line, lower-case, no full stop
	long     string // paragraphs with a blank line between them
	examples []example
	group    string
	flags    []cli.Flag
	min, max int  // how many arguments; a max of -1 is any number
	ids      bool // the arguments are IDs, which completion offers
	words    []string
	settings bool // the help explains the settings of the node in full
	daemon   bool // a signal ends it with status 0
	run      func(ctx context.Context, c *call) error
}

type example struct{ command, does string }

// call is one invocation of a verb.
type call struct {
	*cli.Context
	out *output
}

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run does what args say and returns the exit status.
func run(args []string, stdout, stderr *os.File) int {
	out := newOutput(stdout, stderr, wantsJSON(args))
	verbs := verbs()
	err := func() error {
		args, err := arrange(args, verbs)
		if err != nil {
			return err
		}
		return newApp(verbs, out).RunContext(context.Background(), args)
	}()
	if err == nil {
		err = out.failure()
	}
	if err == nil {
		return 0
	}
	if !errors.Is(err, errReported) {
		out.fail(err)
	}
	return int(kindOf(err))
}

// errReported is wrapped by errors that were already printed.
var errReported = errors.New("reported")

func newApp(verbs []*verb, out *output) *cli.App {
	app := cli.NewApp()
	app.Name = "shoal"
	app.HideHelp = true
	app.HideVersion = true
	app.DisableSliceFlagSeparator = true
	app.Writer, app.ErrWriter = out, out.stderr
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return usageErrorf("%w", err) }
	for _, v := range verbs {
		app.Commands = append(app.Commands, v.command(verbs, out))
	}
	return app
}

func (v *verb) command(verbs []*verb, out *output) *cli.Command {
	return &cli.Command{
		Name:         v.name,
		Usage:        v.short,
		Flags:        v.flags,
		HideHelp:     true,
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return usageErrorf("%s: %w", v.name, err) },
		Action: func(c *cli.Context) error {
			switch n := c.NArg(); {
			case n < v.min:
				return usageErrorf("%s needs %s (shoal %s --help has examples)", v.name, v.args, v.name)
			case v.max >= 0 && n > v.max:
				one := share.Quote(c.Args().Get(v.max))
				if v.max == 0 {
					return usageErrorf("%s takes no arguments, but %s was given (shoal %[1]s --help has examples)", v.name, one)
				}
				return usageErrorf("%s takes only %s, but %s was given, too (shoal %[1]s --help has examples)", v.name, v.args, one)
			}
			out.quiet = c.Bool("quiet")
			ctx, stop := interruptible(c.Context, v.daemon)
			defer stop()
			err := v.run(ctx, &call{Context: c, out: out})
			out.status("")
			if v.daemon && kindOf(err) == share.Interrupted {
				return nil
			}
			if err != nil && ctx.Err() != nil && kindOf(err) != share.Interrupted {
				// An error during the shutdown is a consequence of the interruption.
				return fmt.Errorf("%w (%w)", errInterrupted, err)
			}
			return err
		},
	}
}

// interruptible cancels the context at the first signal to end. The second one
// exits the process at once.
func interruptible(ctx context.Context, daemon bool) (context.Context, func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !daemon { // a daemon reads its configuration again on SIGHUP
		signals = append(signals, syscall.SIGHUP)
	}
	signals = slices.DeleteFunc(signals, signal.Ignored) // as under nohup
	ctx, cancel := context.WithCancelCause(ctx)
	c := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(c, signals...)
	go func() {
		for {
			select {
			case <-c:
				if ctx.Err() != nil {
					os.Exit(int(share.Interrupted))
				}
				cancel(errInterrupted)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		close(done)
		cancel(nil)
	}
}
