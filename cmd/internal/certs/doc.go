// Package certs keeps to itself how certificates for the addresses of this host are asked
// of a CA, kept and renewed: ACME (RFC 8555) for IP addresses (RFC 8738), proven by http-01
// or tls-alpn-01 (RFC 8737), with the CA's advice on renewal (RFC 9773).
//
// Its promise: it listens nowhere, asks nothing of the CA that was not due, and keeps to
// the time at which the CA allows the next request, also after a restart.
//
//	Keeper     decides for each address what is due, one order at a time
//	issuer     places the orders, with acmez behind certmagic
//	challenges what the CA asks for at ports 80 and 443 meanwhile
//	State      how far an address has come, from which Report speaks
//
// Below its folder certmagic keeps certificates and keys (0600 in 0700):
//
//	acme/CA/account.{json,key}         the account at the CA
//	certificates/CA/ADDRESS/ADDRESS.*  certificate, key, and what came with them
//	tries/CA.json                      when each address may be tried again, and why
//	proofs/CA.json                     which addresses the CA came to, and in which network
package certs
