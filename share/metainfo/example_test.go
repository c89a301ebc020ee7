package metainfo_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/shoalnet/shoal/share/metainfo"
)

// photos makes a folder to share.
func photos() (path string, remove func()) {
	top, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	path = filepath.Join(top, "photos")
	if err := os.MkdirAll(filepath.Join(path, "summer"), 0o700); err != nil {
		log.Fatal(err)
	}
	for name, text := range map[string]string{"readme.txt": "Taken by Ada.\n", "summer/sea.jpg": strings.Repeat("sea", 10_000)} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return path, func() { os.RemoveAll(top) }
}

// A torrent is made of a folder, written, and read again by somebody who does not trust it.
func Example() {
	path, remove := photos()
	defer remove()
	made, err := metainfo.Make(context.Background(), path, metainfo.MakeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	torrent := made.Encode() // the text of a .torrent file

	got, err := metainfo.Parse(torrent)
	if err != nil {
		log.Fatal(err)
	}
	in := got.Info
	fmt.Printf("%s: %d bytes in %d pieces of %d\n", in.Name, in.Total, in.NumPieces, in.PieceLength)
	fmt.Println(in.ID)
	for _, f := range in.Files {
		fmt.Printf("%6d %s\n", f.Length, strings.Join(f.Path, "/"))
	}
	// Output:
	// photos: 30014 bytes in 2 pieces of 16384
	// fc7a1fda83ef84323d9934b94098b940a461cce6
	//     14 readme.txt
	//  30000 summer/sea.jpg
}

// What is not sound is refused, with the reason.
func ExampleParse() {
	_, err := metainfo.Parse([]byte("d4:infod6:lengthi100e4:name7:a/b.txt12:piece lengthi0e6:pieces20:aaaaaaaaaaaaaaaaaaaaee"))
	fmt.Println(err)
	// Output: the piece length is 0, not 1 to 536854528 bytes
}

// Each piece is judged by itself, as its bytes arrive.
func ExampleInfo_NewSum() {
	path, remove := photos()
	defer remove()
	made, err := metainfo.Make(context.Background(), path, metainfo.MakeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	content := "Taken by Ada.\n" + strings.Repeat("sea", 10_000)
	first := content[:made.Info.PieceSize(0)]

	sum := made.Info.NewSum(0, nil)
	fmt.Fprint(sum, first)
	fmt.Println(sum.Verdict() == metainfo.Right)

	sum.Reset(0)
	fmt.Fprint(sum, strings.Replace(first, "Ada", "Eve", 1))
	fmt.Println(sum.Verdict() == metainfo.Right)
	// Output:
	// true
	// false
}
