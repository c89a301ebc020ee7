// Package house holds the tests of how the code is laid out: which of our
// packages may import which, that each says what it promises, and that no file
// grows beyond reading. It has no code of its own.
package house
