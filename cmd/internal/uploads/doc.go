// Package uploads keeps to itself how files that browsers send get to the disk: into a
// folder of their own, and under their names only when all of them is there.
//
// A box is a folder that takes files: an upload of the owner's, or what people send with a
// link. Each file of a box has a part file in the folder, whose name no other program
// makes, and a record in state.db:
//
//	upload_boxes  id, record   what the box is and takes
//	upload_files  id, box, record   path, size, how many bytes are surely on the disk
//
// Bytes count once they are on the disk (fsync), so an upload goes on where it was after
// kill -9 and after a power cut. The room for a file is reserved before its first byte.
package uploads
