// Package house keeps to itself how the layout of the code is checked: which of our
// packages may import which, that each says what it keeps to itself, and that the
// documents agree with the code. It contains only tests.
package house
