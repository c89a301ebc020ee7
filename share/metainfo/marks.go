package metainfo

// padPrefix began the names of pad files before BEP 47 gave them an attribute.
const padPrefix = "_____padding_file_"

// BEP 3 cannot say that a folder is empty. An entry can, which every client
// that knows BEP 47 leaves out and every other one makes a file of 0 bytes of:
//
//	d 4:attr 1:p 6:length i0e 4:path l FOLDER... 4:.pad 1:0 e e
//
// Either way the folder comes to be, or nothing is lost but the folder.
const (
	folderMarkDir  = ".pad"
	folderMarkName = "0"
)

func isFolderMark(path [][]byte) bool {
	n := len(path)
	return n > 2 && string(path[n-2]) == folderMarkDir && string(path[n-1]) == folderMarkName
}
