package node

// descriptors returns how many the process may have open. Windows has no limit of its own
// for the handles of sockets.
func descriptors() int { return 1 << 16 }
