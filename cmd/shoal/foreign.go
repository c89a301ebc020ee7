package main

import (
	"strings"

	"github.com/shoalnet/shoal/cmd/internal/config"
)

// foreign are the verbs of other programs, with ours that does the same.
var foreign = map[string]string{
	"send": "share", "seed": "share", "serve": "share", "publish": "share", "upload": "share", "create": "share", "offer": "share",
	"download": "get", "fetch": "get", "add": "get", "pull": "get", "dl": "get", "clone": "get",
	"ls": "list", "ps": "list", "status": "list", "st": "list", "transfers": "list", "torrents": "list",
	"info": "show", "inspect": "show", "details": "show", "stat": "show",
	"rm": "remove", "delete": "remove", "del": "remove", "unshare": "remove",
	"stop": "pause", "suspend": "pause", "start": "resume", "continue": "resume", "unpause": "resume",
	"check": "verify", "recheck": "verify", "rehash": "verify",
	"find": "search", "query": "search",
	"subscribe": "channel", "follow": "channel",
	"migrate": "import", "takeover": "import",
	"server": "daemon", "run": "daemon", "up": "daemon",
	"web": "open", "ui": "open", "gui": "open", "browser": "open",
	"magnet": "link", "test": "doctor", "diagnose": "doctor", "netcheck": "doctor",
	"settings": "config", "set": "config", "man": "help", "upgrade": "version",
}

// final are the verbs whose effect a user could regret. They are suggested only for
// a word that is one letter away, never for one that means something else.
var final = map[string]bool{"remove": true, "recover": true}

// meant is the verb that somebody who wrote word most likely wants; empty if none is likely.
func meant(word string, known []string) string {
	word = strings.ToLower(word)
	for _, k := range known {
		if k == foreign[word] {
			return k
		}
	}
	most := 1 + len(word)/3
	best := config.Nearest(word, known, most)
	if !final[best] || config.Nearest(word, []string{best}, 1) != "" {
		return best
	}
	var others []string
	for _, k := range known {
		if !final[k] {
			others = append(others, k)
		}
	}
	return config.Nearest(word, others, most)
}
