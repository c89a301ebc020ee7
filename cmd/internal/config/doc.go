// Package config keeps to itself how a setting gets its value: the table of
// settings, how each is read from text and written again, and which of flag,
// environment, file, change while running and default wins.
package config
