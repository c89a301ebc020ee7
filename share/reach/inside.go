package reach

import (
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// System holds what FindInside examines. The zero System is this host.
type System struct {
	Root      fs.FS // its files, from /; nil for none on systems other than Linux
	Env       func(string) string
	Addresses []netip.Addr // of all interfaces, IPv4, too
}

// FindInside recognises the container or virtual machine in which this process
// runs; nil for neither.
func FindInside(s System) *share.Inside {
	if s.Root == nil && s.Env == nil {
		s = thisSystem()
	}
	if s.Root == nil {
		return nil
	}
	if in := s.container(); in != nil {
		return in
	}
	if kernel := s.read("proc/sys/kernel/osrelease"); strings.Contains(strings.ToLower(kernel), "microsoft") {
		return &share.Inside{Kind: share.InWSL, Name: "WSL", Evidence: "the kernel is " + kernel, NAT: s.privateIPv4()}
	}
	return s.vm()
}

func thisSystem() System {
	if runtime.GOOS != "linux" {
		return System{}
	}
	s := System{Root: os.DirFS("/"), Env: os.Getenv}
	all, _ := net.InterfaceAddrs() // without them a NAT is not recognised
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			s.Addresses = append(s.Addresses, p.Addr().Unmap())
		}
	}
	return s
}

// read is the beginning of a small file without space around it; empty without one.
func (s System) read(name string) string {
	b, err := fs.ReadFile(s.Root, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b[:min(len(b), 64<<10)]))
}

func (s System) has(name string) bool {
	_, err := fs.Stat(s.Root, name)
	return err == nil
}

// engines are the words for engines of containers in the variable "container" and in
// the names of control groups, and the engines' names.
var engines = []struct{ word, name string }{
	{"kubepods", "Kubernetes"}, {"docker", "Docker"}, {"libpod", "Podman"}, {"podman", "Podman"},
	{"lxc", "LXC"}, {"systemd-nspawn", "systemd-nspawn"},
}

func (s System) container() *share.Inside {
	in := func(name, evidence string) *share.Inside {
		return &share.Inside{Kind: share.InContainer, Name: name, Evidence: evidence}
	}
	named := func(text string) string {
		for _, e := range engines {
			if strings.Contains(text, e.word) {
				return e.name
			}
		}
		return ""
	}
	switch {
	case s.Env("KUBERNETES_SERVICE_HOST") != "":
		return in("Kubernetes", "KUBERNETES_SERVICE_HOST is set")
	case s.has("run/.containerenv"):
		return in("Podman", "there is /run/.containerenv")
	case s.has(".dockerenv"):
		return in("Docker", "there is /.dockerenv")
	}
	for _, from := range []struct{ what, text string }{
		{"the variable container", s.Env("container")}, {"/run/systemd/container", s.read("run/systemd/container")},
	} {
		if from.text != "" && from.text != "wsl" {
			return in(named(from.text), from.what+" is "+from.text)
		}
	}
	groups := s.read("proc/1/cgroup")
	if name := named(groups); name != "" {
		return in(name, "the control group of process 1, in /proc/1/cgroup")
	}
	return nil
}

// makers are the beginnings of what virtual machines call their maker or product, and
// the names of the programs that make them.
var makers = []struct{ begins, name string }{
	{"QEMU", "QEMU"}, {"KVM", "QEMU"}, {"Standard PC", "QEMU"}, {"innotek", "VirtualBox"}, {"VirtualBox", "VirtualBox"},
	{"VMware", "VMware"}, {"Parallels", "Parallels"}, {"Xen", "Xen"}, {"Apple Virtualization", "Apple Virtualization"},
	{"Virtual Machine", "Hyper-V"}, {"BHYVE", "bhyve"},
}

func (s System) vm() *share.Inside {
	in := &share.Inside{Kind: share.InVM}
	for _, file := range []string{"sys/class/dmi/id/product_name", "sys/class/dmi/id/sys_vendor"} {
		text := s.read(file)
		for _, m := range makers {
			if in.Name == "" && strings.HasPrefix(text, m.begins) {
				in.Name, in.Evidence = m.name, "/"+file+" is "+text
			}
		}
	}
	if in.Name == "" {
		flags, ok := "", false
		for line := range strings.Lines(s.read("proc/cpuinfo")) {
			if flags, ok = strings.CutPrefix(line, "flags"); ok {
				break
			}
		}
		if !slices.Contains(strings.Fields(flags), "hypervisor") {
			return nil
		}
		in.Evidence = "the processor has the flag hypervisor"
	}
	if nat := s.translated(); nat.IsValid() {
		in.NAT = true
		in.Evidence += ", and " + nat.String() + " is an address behind a NAT of such machines"
	}
	return in
}

// behindNAT are the networks of virtual machines whose addresses the host translates:
// QEMU's user network and VirtualBox's NAT, QEMU's for IPv6 (RFC 3879 has withdrawn the
// range), libvirt's default, and VirtualBox's for IPv6.
var behindNAT = []netip.Prefix{
	netip.MustParsePrefix("10.0.2.0/24"), netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("192.168.122.0/24"), netip.MustParsePrefix("fd17:625c:f037::/48"),
}

// translated is an address behind such a NAT.
func (s System) translated() netip.Addr {
	for _, a := range s.Addresses {
		if slices.ContainsFunc(behindNAT, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return a
		}
	}
	return netip.Addr{}
}

func (s System) privateIPv4() bool {
	return slices.ContainsFunc(s.Addresses, func(a netip.Addr) bool { return a.Is4() && a.IsPrivate() })
}

// host says what to do at the host of this container or virtual machine, so that
// strangers reach it; empty if that is no question.
func (s Situation) host() share.Text {
	in := s.Inside
	if in == nil || s.Local {
		return share.Text{}
	}
	switch {
	case in.Kind == share.InContainer && in.Name == "Kubernetes":
		return share.Say("This node runs in a pod of Kubernetes: set hostNetwork: true for it, or give the cluster global IPv6 addresses.")
	case in.Kind == share.InContainer && (in.Name == "Docker" || in.Name == "Podman"):
		return share.Say("This node runs in a container of %s: start it with --network=host, or in a network with a global IPv6 prefix "+
			"of yours (%s network create --ipv6 --subnet PREFIX::/64 NAME) that the host routes.", in.Name, strings.ToLower(in.Name))
	case in.Kind == share.InContainer:
		return share.Say("This node runs in a container: let it use the network of the host, or bridge its interface to that of the host.")
	case in.Kind == share.InWSL:
		return share.Say(`This node runs in WSL behind the NAT of Windows: write networkingMode=mirrored below [wsl2] in the file ` +
			`%%UserProfile%%\.wslconfig, run wsl --shutdown, and allow the port in the firewall of Windows.`)
	case in.NAT:
		return share.Say("This node runs in a virtual machine behind the NAT of its host: give the machine a bridged network adapter.")
	}
	return share.Say("This node runs in a virtual machine: if the host has IPv6, a bridged network adapter gives it to the machine.")
}

// besides says what else may keep strangers from a global address: nothing on a machine of
// its own.
func (s Situation) besides() share.Text {
	switch in := s.Inside; {
	case in == nil:
		return share.Text{}
	case in.Kind == share.InContainer:
		return share.Say("If the network of this container is not that of the host (--network=host), the port must be published there, too, for TCP and UDP.")
	case in.Kind == share.InWSL:
		return share.Say("Allow the port in the firewall of Windows, too.")
	}
	return share.Text{}
}
