// Command container keeps to itself how shoal starts in its container image: as root it
// takes the user, the group and the file mode mask from PUID, PGID and UMASK, gives up
// root before anything is opened, and becomes shoal. Started as another user (--user) it
// stays that user. It exists on Linux only.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	program = "/usr/bin/shoal"
	folder  = "/config" // of the state and the configuration
)

func main() {
	fmt.Fprintln(os.Stderr, "shoal:", run(os.Args[1:]))
	os.Exit(1)
}

// run becomes shoal; it returns only if it cannot.
func run(args []string) error {
	who, err := wanted(os.Getenv)
	if err != nil {
		return err
	}
	unix.Umask(who.umask)
	if os.Geteuid() == 0 {
		if err := who.become(); err != nil {
			return err
		}
	}
	if len(args) > 0 && args[0] == "daemon" {
		if err := unix.Access(folder, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("%s cannot be written to by user %d and group %d: %w; give it to them on the host, or set PUID and PGID to its owner",
				folder, os.Getuid(), os.Getgid(), err)
		}
	}
	return fmt.Errorf("starting %s: %w", program, syscall.Exec(program, append([]string{program}, args...), os.Environ()))
}

// identity is who shoal runs as in the container, and the mode bits that its files do
// not get.
type identity struct{ uid, gid, umask int }

// wanted reads PUID, PGID and UMASK.
func wanted(env func(string) string) (who identity, err error) {
	who = identity{uid: 1000, gid: 1000, umask: 0o022}
	for _, v := range []struct {
		name string
		base int
		most uint64
		to   *int
	}{
		{"PUID", 10, 1<<32 - 2, &who.uid}, {"PGID", 10, 1<<32 - 2, &who.gid}, {"UMASK", 8, 0o777, &who.umask},
	} {
		text := env(v.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, v.base, 32)
		switch {
		case err != nil && v.base == 8:
			return who, fmt.Errorf("%s is an octal number such as 022, not %q", v.name, text)
		case err != nil:
			return who, fmt.Errorf("%s is a number such as 1000, not %q; `id` on the host shows yours", v.name, text)
		case n > v.most:
			return who, fmt.Errorf("%s is too large: %s", v.name, text)
		}
		*v.to = int(n)
	}
	return who, nil
}

// become gives up root for good. The groups that the engine was told to add stay, but
// not that of root. The caller keeps its thread: new privileges are given up by a thread.
func (who identity) become() error {
	runtime.LockOSThread()
	had, err := unix.Getgroups()
	if err != nil {
		return fmt.Errorf("reading the groups: %w", err)
	}
	groups := []int{}
	for _, g := range had {
		if g != 0 || who.gid == 0 {
			groups = append(groups, g)
		}
	}
	const help = "allow the container CAP_SETUID and CAP_SETGID, or start it with --user instead of PUID and PGID"
	// Of package syscall, which does it for all threads.
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("setting the groups: %w; %s", err, help)
	}
	if err := syscall.Setgid(who.gid); err != nil {
		return fmt.Errorf("becoming group %d: %w; %s", who.gid, err, help)
	}
	if err := syscall.Setuid(who.uid); err != nil {
		return fmt.Errorf("becoming user %d: %w; %s", who.uid, err, help)
	}
	if who.uid != 0 && syscall.Setuid(0) == nil {
		return errors.New("root could not be given up")
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	return nil
}
