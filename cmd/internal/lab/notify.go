//go:build linux

package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Service is a program run the way systemd runs one of Type=notify: it is given
// a socket to report to, and sockets that were opened for it.
type Service struct {
	*Proc
	from *net.UnixConn
}

// StartService starts cmd as a service on the host. Each of the sockets, of net or
// *os.File, becomes descriptor 3 and following.
func (h *Host) StartService(cmd *exec.Cmd, sockets ...Socket) *Service {
	t := h.lab.t
	t.Helper()
	dir, err := os.MkdirTemp("", "notify-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+name)
	if len(sockets) > 0 {
		names := make([]string, len(sockets))
		for i, s := range sockets {
			f, err := s.Of.File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
			names[i] = s.Name
		}
		cmd.Env = append(cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(sockets)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
		// Only the process itself can tell its number in its environment.
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}
	return &Service{Proc: h.StartCmd(cmd), from: conn}
}

// Socket is one that a service is given.
type Socket struct {
	Name string // FileDescriptorName=
	Of   interface{ File() (*os.File, error) }
}

// Tells waits until the service has reported something that begins with state,
// such as READY=1.
func (s *Service) Tells(state string) {
	t := s.host.lab.t
	t.Helper()
	b := make([]byte, 4096)
	for {
		if err := s.from.SetReadDeadline(time.Now().Add(s.wait)); err != nil {
			t.Fatal(err)
		}
		n, err := s.from.Read(b)
		if err != nil {
			t.Fatalf("%s: %s did not tell systemd %s: %v\nstderr: %s", s.host.Name, s.cmd, state, err, tail(s.err.bytes()))
		}
		if strings.HasPrefix(string(b[:n]), state) {
			return
		}
	}
}

// Stop ends the service as systemd does, and gives its status.
func (s *Service) Stop() int {
	s.host.lab.t.Helper()
	s.Signal(syscall.SIGTERM)
	return s.Wait()
}
