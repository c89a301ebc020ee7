// Package webui keeps to itself who may use the API from a browser or over TCP, and
// the web page that it serves. A request reaches the API through it only if it
// names an allowed host, comes from this page or from a program with a token, from
// somebody who signed in, and is within limits of size and time.
//
// The order is the defence. A request is refused for the first of these that
// fails, and nothing of it is parsed before:
//
//	Host: address or name  421   DNS rebinding
//	cross-origin check     403   forged requests from other sites
//	sign-in                401   cookie (HttpOnly, SameSite=Strict) or bearer token
//	media type of writes   415   forms that need no preflight
//	size and read deadline 413   floods and trickles
package webui
