// Package door keeps to itself how people fetch a share with nothing but a browser: what
// a web link leads to, and how long it does.
//
// The door is public. It has no route, cookie or secret in common with the owner's page
// and API. Everything is below
//
//	/s/CAPABILITY/          the share, or a folder of it: folder/PATH/
//	    file/PATH           a file, to be saved
//	    view/PATH           a page that shows a file, which is at inline/PATH
//	    all/NAME.zip        everything as one archive
//	    zip/PATH.zip        a folder as one archive
//	    unlock              takes the password of the link
//
// where CAPABILITY is 128 random bits: whoever has it has the files of one share, and
// nothing else. A capability that is wrong, revoked, expired or used up gets one and the
// same answer. None is ever logged.
//
// A download is a file or an archive of which every byte was sent, in one request or in
// several. What a page shows is no download, and neither is a HEAD request. Links with a
// maximum of downloads show nothing inside a page, since that would not count.
package door
