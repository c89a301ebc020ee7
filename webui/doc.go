// Package webui is the node's face towards browsers: it guards the API and
// serves the page. Whatever reaches the API through it came to an allowed
// host name, from this page or from a program with a token, from somebody who
// signed in, and within limits of size and time.
//
// The order is the defence. A request is refused for the first of these that
// fails, and nothing of it is parsed before:
//
//	Host allow list        421   DNS rebinding
//	cross-origin check     403   forged requests from other sites
//	sign-in                401   cookie (HttpOnly, SameSite=Strict) or bearer token
//	media type of writes   415   forms that need no preflight
//	size and read deadline 413   floods and trickles
package webui
