package main

import (
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// desktop returns the program that opens a file on this machine's desktop; ok is
// false when there is no desktop, as over ssh.
func desktop(system string, env func(string) string) (program []string, ok bool) {
	if env("SSH_CONNECTION") != "" && env("DISPLAY") == "" {
		return nil, false
	}
	switch system {
	case "darwin":
		return []string{"open"}, true
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}, true
	}
	return []string{"xdg-open"}, env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != ""
}

// signInPage redirects the browser to the sign-in link. The link signs in whoever
// opens it first, and every user of a machine can see the arguments of programs,
// so it is passed in a file that only this user can read.
var signInPage = template.Must(template.New("").Parse(`<!doctype html>
<meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={{.}}">
<title>shoal</title><a href="{{.}}">Open shoal</a>
`))

// openWait is how long the opener may take to start the browser.
const openWait = 10 * time.Second

// openBrowser opens url in the desktop's browser by way of a file in dir. The file
// stays: the link in it expires when it is used, or after two minutes.
func openBrowser(program []string, dir, url string) error {
	name := filepath.Join(dir, "open.html")
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("opening the browser: %w", err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the browser: %w", err)
	}
	if err := signInPage.Execute(f, template.URL(url)); err != nil {
		f.Close()
		return fmt.Errorf("opening the browser: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("opening the browser: %w", err)
	}
	c := exec.Command(program[0], append(program[1:], name)...)
	if err := c.Start(); err != nil {
		return fmt.Errorf("opening the browser: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("opening the browser with %s: %w", program[0], err)
		}
	case <-time.After(openWait): // the opener is the browser itself and stays
	}
	return nil
}

// thisDesktop is desktop for this machine.
func thisDesktop() ([]string, bool) { return desktop(runtime.GOOS, os.Getenv) }
