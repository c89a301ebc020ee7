// Package door keeps to itself how people fetch a share, or send files, with nothing but a
// browser: what a web link leads to, and for how long.
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
//	    where               tells an open page that the link has moved to another address
//
// or, of a link for receiving files,
//
//	/s/CAPABILITY/          the page from which they are sent
//	    form                takes files from a form, without script
//	    files, files/ID     take a file by the tus protocol 1.0.0, which resumes interrupted uploads
//	    done                is told that everything was sent
//	    unlock              takes the password of the link
//
// where CAPABILITY is 128 random bits: whoever has it can fetch the files of one share and
// nothing else, or put files into one folder and see nothing in it. Capabilities that are
// wrong, revoked, expired or used up all get the same answer. None is ever logged.
//
// A share may also have a web seed (BEP 19), from which BitTorrent clients fetch over HTTP
// what they could fetch from peers:
//
//	/w/CAPABILITY/NAME        the file of a torrent that has one, by its name there
//	/w/CAPABILITY/NAME/PATH   a file of a torrent that has several
//
// Its capability differs from those of the links for people, and neither opens what the
// other leads to. The web seed of a sealed share serves what peers get: the sealed blob.
//
// A download is a file or an archive whose every byte was sent, in one request or in
// several. Showing a file in a page is not a download, and neither is a HEAD request.
// Links with a maximum of downloads show nothing in a page, since that would not count.
package door
