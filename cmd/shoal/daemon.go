package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/shoalnet/shoal/cmd/internal/node"
)

func daemonVerb() *verb {
	return &verb{
		name: "daemon", short: "run a node until it is told to end", group: "The node", daemon: true,
		long: `The node seeds and fetches what it is told to by the other verbs, from any other shell of the same user, ` +
			`and goes on after a restart where it was. It logs to standard error. On SIGHUP it reads its configuration ` +
			`again; on SIGTERM and SIGINT it ends with status 0. systemd is told when it is ready.`,
		examples: []example{
			{"shoal daemon", "in the foreground"},
			{"shoal daemon --downloads /srv/films --seed ratio:2", "with another folder and a goal"},
		},
		settings: true, flags: settingFlags(func(node.Setting) bool { return true }),
		run: runDaemon,
	}
}

// readyRecord is the line of `daemon --json`.
type readyRecord struct {
	Event  string   `json:"event"`
	Listen []string `json:"listen"`
	Web    string   `json:"web"`
	Socket string   `json:"socket"`
}

func runDaemon(ctx context.Context, c *call) error {
	cfg, err := node.Load(c.sources())
	if err != nil {
		return err
	}
	n, err := node.New(node.Options{Config: cfg, Version: buildVersion().Version, Stderr: c.out.log(), Daemon: true})
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	ready := n.Ready()
	for {
		select {
		case <-ready:
			ready = nil
			sayReady(c.out, n)
		case <-hup:
			reload(c, n)
		case err := <-ended:
			return err
		}
	}
}

func sayReady(out *output, n *node.Node) {
	info := n.Info()
	if out.json {
		out.record(readyRecord{"ready", info.Listen, info.Web, info.Socket})
		return
	}
	line := "ready: peers at " + strings.Join(info.Listen, ", ")
	if info.Web != "" {
		line += ", page at " + info.Web
	}
	out.say("%s", line)
}

// reload reads the configuration again. A mistake in it leaves everything as it
// was.
func reload(c *call, n *node.Node) {
	cfg, err := node.Load(c.sources())
	if err != nil {
		c.out.say("shoal: the configuration stays as it was: %s", escape(err.Error()))
		return
	}
	line := "the configuration was read again"
	if later := n.Reload(cfg); len(later) > 0 {
		line += fmt.Sprintf("; a restart is needed for %s", strings.Join(later, ", "))
	}
	c.out.say("%s", line)
}
