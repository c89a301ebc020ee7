// Package reach knows under which IPv6 addresses this host can be called, and
// whether a stranger's call would get through.
//
// Addresses are followed live; which of them others may know is a Policy.
package reach
