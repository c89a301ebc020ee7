package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
)

func daemonVerb() *verb {
	return &verb{
		name: "daemon", short: "run a node until it is stopped", group: "The node", daemon: true,
		long: `All other verbs, in any shell of the same user, then use this node. After a restart it ` +
			`continues its transfers. It logs to standard error. On SIGHUP it reads its configuration ` +
			`again; on SIGTERM and SIGINT it ends with status 0. It notifies systemd when it is ready.`,
		examples: []example{
			{"shoal daemon", "in the foreground"},
			{"shoal daemon --downloads /srv/films --seed ratio:2", "with another download folder and a seeding goal"},
		},
		settings: true, flags: settingFlags(func(config.Setting) bool { return true }),
		run: runDaemon,
	}
}

// readyRecord is the line of `daemon --json`.
type readyRecord struct {
	Event  string   `json:"event"`
	Listen []string `json:"listen"`
	Web    string   `json:"web"`
	Others []string `json:"web_others,omitempty"` // addresses of the page for other machines
	Socket string   `json:"socket"`
}

func runDaemon(ctx context.Context, c *call) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	d := node.Daemon{
		Options:  node.Options{Version: buildVersion().Version, Stderr: c.out.log()},
		Load:     func() (*config.Config, error) { return config.Load(c.sources()) },
		Ready:    func(n *node.Node) { sayReady(c.out, n) },
		Reread:   hup,
		Reloaded: func(later []string, err error) { sayReloaded(c.out, later, err) },
	}
	return d.Run(ctx)
}

func sayReady(out *output, n *node.Node) {
	info := n.Info()
	if out.json {
		out.record(readyRecord{"ready", info.Listen, info.Web, n.OtherPages(), info.Socket})
		return
	}
	line := "ready: peers at " + strings.Join(info.Listen, ", ")
	if info.Web != "" {
		line += ", page at " + info.Web + " (shoal open shows it, signed in)"
	}
	out.say("%s", line)
	if others := n.OtherPages(); len(others) > 0 {
		out.say("from other machines the page is at %s", strings.Join(others, " or "))
	}
}

// sayReloaded tells how reading the configuration again went. If it has an error, the
// running configuration stays.
func sayReloaded(out *output, later []string, err error) {
	if err != nil {
		out.say("shoal: the configuration was not changed: %s", escape(err.Error()))
		return
	}
	line := "the configuration was read again"
	if len(later) > 0 {
		line += fmt.Sprintf("; changes of %s take effect after a restart", strings.Join(later, ", "))
	}
	out.say("%s", line)
}
