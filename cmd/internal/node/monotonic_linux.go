package node

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// monotonic is the time as systemd wants it with RELOADING=1.
func monotonic() string {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return ""
	}
	return fmt.Sprintf("\nMONOTONIC_USEC=%d", ts.Nano()/1000)
}
