// Package policy keeps to itself how much of the connection and of the disks a
// node takes: which limits are in force at what time, how the upload gives way
// when the connection queues, and which transfers wait for a disk that is nearly
// full.
package policy
