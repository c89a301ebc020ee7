// Package api keeps to itself how requests and events travel between a node and its
// clients: a JSON API with an event stream, and the Go client that the command line
// uses. The web page and other programs use the same API.
//
// The API needs a port of the node for each group of requests. Each port is in one file
// with its requests, their types and the methods of the client. Files of the event
// stream are hub.go (what changed), ring.go (what was sent), reader.go (who reads),
// topics.go, sides.go and frames.go (what it consists of).
//
// Everything is below /api/v1. Within v1 only additions are made: paths, members,
// event types and problem types. IDs are info-hashes and may be shortened while
// unique; sizes are bytes, rates bytes per second, times RFC 3339. Errors are
// problem details (RFC 9457) whose member "code" is the share.Kind, so that Client
// returns the error that the node had. The OpenAPI 3.1 description is at
// /api/v1/openapi.json.
//
// # Events
//
// GET /api/v1/events is a stream of server-sent events about one document,
//
//	{"transfers": {ID: share.Transfer, ...}, "stats": Stats,
//	 "channels": {KEY: Channel, ...}, "network": share.Report}
//
// which a reader keeps up to date with these events:
//
//	event: reset    the whole document; discard the one before
//	event: patch    a merge patch (RFC 7396) to it, at most one a second; a
//	                removed transfer is null
//	event: notice   a share.Event as it happens: added, shared, done, error, removed
//	event: peers    {"id", "peers"}         of the topic peers:ID
//	event: pieces   {"id", "length", "state"} of the topic pieces:ID
//	event: files    {"id", "files"}         of the topic files:ID
//	event: log      {"id", "log"}           of the topic log:ID
//	event: discovery {"id", "ways"}         of the topic discovery:ID
//	event: streams {"id", "streams", "held"} of the topic streams:ID
//	event: node     {"info", "health"}      of the topic node
//
// A stream of some transfers only, or without stats, has neither channels nor
// network.
//
// The id of the first three is BOOT-SEQ: BOOT changes with each start of the node,
// SEQ counts. A reader that reconnects with Last-Event-ID continues where it was; if
// that is no longer known, it gets a reset. A topic is sent whole after each change,
// and only to readers that asked for it (?topics=peers:ID,...). A comment every 15
// seconds keeps the connection alive. A reader that does not keep up is reset, and
// one that stops reading is cut off; nothing waits for it.
package api

// Version is the version of the API, the number in its paths.
const Version = 1

// Base is the path that everything of this version is below.
const Base = "/api/v1"
