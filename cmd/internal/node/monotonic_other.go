//go:build !linux

package node

func monotonic() string { return "" }
