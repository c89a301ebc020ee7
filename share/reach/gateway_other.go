//go:build !linux

package reach

// ListGateways cannot tell here: routers are found by UPnP alone.
func ListGateways() ([]Gateway, error) { return nil, nil }
