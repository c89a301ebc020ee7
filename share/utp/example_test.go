package utp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/shoalnet/shoal/share/utp"
)

// One Socket calls, another answers.
func Example() {
	open := func() *utp.Socket {
		pc, err := net.ListenPacket("udp6", "[::1]:0")
		if err != nil {
			log.Fatal(err)
		}
		return utp.New(pc, utp.Config{})
	}
	server, client := open(), open()
	defer server.Close()
	defer client.Close()

	go func() {
		c, err := server.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		name, _ := io.ReadAll(c)
		fmt.Fprintf(c, "hello, %s", name)
	}()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, "udp6", server.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "shoal")
	c.(*utp.Conn).CloseWrite() // the server reads EOF, and can still answer
	answer, err := io.ReadAll(c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", answer)
	// Output: hello, shoal
}

// What was written to a connection that was closed is delivered before the Socket ends.
func ExampleSocket_Shutdown() {
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		log.Fatal(err)
	}
	server := utp.New(pc, utp.Config{})
	defer server.Close()
	got := make(chan int64)
	go func() {
		c, err := server.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()

	pc, err = net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		log.Fatal(err)
	}
	client := utp.New(pc, utp.Config{Backlog: -1}) // it accepts nothing
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, "udp6", server.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	c.Write(make([]byte, 100_000))
	c.Close()
	if err := client.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-got, "bytes")
	// Output: 100000 bytes
}
