package reach

import (
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Containers and virtual machines are recognised by what they leave in the file system,
// the environment and the addresses.
func TestFindInside(t *testing.T) {
	const plain, virtual = "model name : A\nflags\t\t: fpu sse2\n", "model name : A\nflags\t\t: fpu hypervisor sse2\n"
	for name, c := range map[string]struct {
		files     map[string]string
		env       map[string]string
		addresses []string
		kind      share.InsideKind
		product   string
		nat       bool
	}{
		"a machine":               {files: map[string]string{"proc/cpuinfo": plain, "sys/class/dmi/id/product_name": "ThinkPad\n", "proc/1/cgroup": "0::/init.scope\n"}, addresses: []string{"10.0.2.15", "fe80::1"}},
		"nothing to read":         {},
		"docker":                  {files: map[string]string{".dockerenv": "", "proc/cpuinfo": virtual}, kind: share.InContainer, product: "Docker"},
		"podman":                  {files: map[string]string{"run/.containerenv": "engine=\"podman-4.3.1\"\n"}, env: map[string]string{"container": "podman"}, kind: share.InContainer, product: "Podman"},
		"kubernetes":              {files: map[string]string{".dockerenv": ""}, env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, kind: share.InContainer, product: "Kubernetes"},
		"a pod by its group":      {files: map[string]string{"proc/1/cgroup": "5:memory:/kubepods/besteffort/pod1/2\n"}, kind: share.InContainer, product: "Kubernetes"},
		"docker by its group":     {files: map[string]string{"proc/1/cgroup": "5:memory:/docker/0123\n"}, kind: share.InContainer, product: "Docker"},
		"lxc":                     {files: map[string]string{"run/systemd/container": "lxc\n"}, kind: share.InContainer, product: "LXC"},
		"nspawn":                  {env: map[string]string{"container": "systemd-nspawn"}, kind: share.InContainer, product: "systemd-nspawn"},
		"another engine":          {env: map[string]string{"container": "oci"}, kind: share.InContainer},
		"WSL":                     {files: map[string]string{"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n", "proc/cpuinfo": virtual}, addresses: []string{"172.20.1.2"}, kind: share.InWSL, product: "WSL", nat: true},
		"a container in WSL":      {files: map[string]string{"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n", ".dockerenv": ""}, kind: share.InContainer, product: "Docker"},
		"QEMU's user network":     {files: map[string]string{"sys/class/dmi/id/sys_vendor": "QEMU\n"}, addresses: []string{"10.0.2.15"}, kind: share.InVM, product: "QEMU", nat: true},
		"the same by IPv6":        {files: map[string]string{"proc/cpuinfo": virtual}, addresses: []string{"fec0::5054:ff:fe12:3456"}, kind: share.InVM, nat: true},
		"VirtualBox":              {files: map[string]string{"sys/class/dmi/id/product_name": "VirtualBox\n", "sys/class/dmi/id/sys_vendor": "innotek GmbH\n"}, addresses: []string{"10.0.2.15"}, kind: share.InVM, product: "VirtualBox", nat: true},
		"a rented server":         {files: map[string]string{"sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009)\n", "sys/class/dmi/id/sys_vendor": "QEMU\n"}, addresses: []string{"10.1.2.3", "2001:db8::5"}, kind: share.InVM, product: "QEMU"},
		"unknown virtual machine": {files: map[string]string{"proc/cpuinfo": virtual}, kind: share.InVM},
	} {
		s := System{Root: fstest.MapFS{}, Env: func(name string) string { return c.env[name] }}
		for file, text := range c.files {
			s.Root.(fstest.MapFS)[file] = &fstest.MapFile{Data: []byte(text)}
		}
		for _, a := range c.addresses {
			s.Addresses = append(s.Addresses, netip.MustParseAddr(a))
		}
		in := FindInside(s)
		switch {
		case c.kind == "":
			if in != nil {
				t.Errorf("%s: %+v", name, *in)
			}
		case in == nil:
			t.Errorf("%s is not recognised", name)
		case in.Kind != c.kind || in.Name != c.product || in.NAT != c.nat || in.Evidence == "":
			t.Errorf("%s: %+v", name, *in)
		}
	}
}

// Who is behind the translation of a host is told what to do there, not to ask the
// provider first; who has a global address is told only what may be in its way.
func TestWhatToDoAtTheHost(t *testing.T) {
	container := func(name string) *share.Inside { return &share.Inside{Kind: share.InContainer, Name: name} }
	for name, c := range map[string]struct {
		in   *share.Inside
		want string
		not  string
	}{
		"docker":     {container("Docker"), "docker network create --ipv6", "podman"},
		"podman":     {container("Podman"), "--network=host", "docker"},
		"kubernetes": {container("Kubernetes"), "hostNetwork: true", "--network"},
		"lxc":        {container("LXC"), "bridge its interface", "--network"},
		"oci":        {container(""), "in a container: let it", "()"},
		"wsl":        {&share.Inside{Kind: share.InWSL, Name: "WSL", NAT: true}, "networkingMode=mirrored", "bridge"},
		"qemu":       {&share.Inside{Kind: share.InVM, Name: "QEMU", NAT: true}, "virtual machine behind the NAT of its host: give the machine a bridged", "container"},
		"vm":         {&share.Inside{Kind: share.InVM}, "virtual machine: if the host has IPv6", "NAT"},
	} {
		s := Situation{Evidence: NewEvidence(time.Now), Inside: c.in}
		r := s.Report()
		for _, text := range []string{r.Warning, r.Next} {
			if !strings.Contains(text, c.want) || strings.Contains(text, c.not) {
				t.Errorf("%s: %q", name, text)
			}
		}
		if r.Inside != c.in {
			t.Errorf("%s is not in the report", name)
		}
		s.Local = true
		if r := s.Report(); r.Warning != "" || !strings.HasPrefix(r.Next, "Ask your provider") {
			t.Errorf("%s, for itself only: %q %q", name, r.Warning, r.Next)
		}
	}

	a := addr("2001:db8:1::5", Stable, "eth0")
	e := NewEvidence(time.Now)
	e.SetAddresses([]Address{a})
	e.Refused(TCP, a.IP, ip("2001:db8:8::1"))
	e.Refused(TCP, a.IP, ip("2001:db8:9::1"))
	s := Situation{Evidence: e, Host: []Address{a}, Endpoints: []Endpoint{{Address: a, Port: 7000, UDP: 7000, Published: true}}}
	for name, c := range map[string]struct {
		in   *share.Inside
		want string
	}{
		"a machine":   {nil, "IPv6 firewall."},
		"a container": {container("Docker"), "the port must be published"},
		"WSL":         {&share.Inside{Kind: share.InWSL}, "firewall of Windows"},
		"a VM":        {&share.Inside{Kind: share.InVM, NAT: true}, "IPv6 firewall."},
	} {
		s.Inside = c.in
		if r := s.Report(); r.Warning != "" || !strings.HasPrefix(r.Next, "Open TCP") || !strings.Contains(r.Next, c.want) || c.want == "IPv6 firewall." && !strings.HasSuffix(r.Next, c.want) {
			t.Errorf("%s: %q %q", name, r.Warning, r.Next)
		}
	}
}
