//go:build !linux

package reach

// ListGateways is not supported here: routers are found only by UPnP.
func ListGateways() ([]Gateway, error) { return nil, nil }
