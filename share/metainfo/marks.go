package metainfo

// padPrefix is the prefix of pad file names from before BEP 47 added an attribute.
const padPrefix = "_____padding_file_"

// BEP 3 cannot represent an empty folder. This entry can; clients with BEP 47 skip
// it, and others create a file of 0 bytes:
//
//	d 4:attr 1:p 6:length i0e 4:path l FOLDER... 4:.pad 1:0 e e
//
// Either way the folder is created, or nothing but the folder is lost.
const (
	folderMarkDir  = ".pad"
	folderMarkName = "0"
)

func isFolderMark(path [][]byte) bool {
	n := len(path)
	return n > 2 && string(path[n-2]) == folderMarkDir && string(path[n-1]) == folderMarkName
}
