package node

// descriptors is how many the process may have open: handles of sockets have no
// limit of their own there.
func descriptors() int { return 1 << 16 }
