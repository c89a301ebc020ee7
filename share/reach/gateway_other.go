//go:build !linux

package reach

// ListGateways is not supported here: routers are found only by UPnP.
func ListGateways() ([]Gateway, error) { return nil, nil }

// ListGateways4 is not supported either.
func ListGateways4() ([]Gateway, error) { return nil, nil }
