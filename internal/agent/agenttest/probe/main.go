// Command probe is the program of test containers. It is small and static, and needs no
// shell.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// main runs its arguments as commands in turn:
//
//	sleep SECONDS | exit CODE | http PORT | append FILE LINE | say TEXT | complain TEXT | chatter N | cat | sizes N | deaf | healthy SECONDS | alive FILE | env | eat MIB | feed MIB
//
// healthy creates the file /healthy after some time, and goes on at once. alive, for a
// health check, fails without its file. say and complain write a line to their stream,
// chatter writes many to both. cat writes its input. sizes writes its terminal's size each
// time it changes, N times. feed runs a child process that uses memory, and goes on when
// the child has ended, in any way.
func main() {
	args := os.Args[1:]
	next := func() string {
		if len(args) == 0 {
			fmt.Fprintln(os.Stderr, "argument missing")
			os.Exit(64)
		}
		a := args[0]
		args = args[1:]
		return a
	}
	number := func() float64 {
		f, err := strconv.ParseFloat(next(), 64)
		check(err)
		return f
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGUSR1)
	deaf := false
	wait := func(d time.Duration) {
		deadline := time.After(d)
		for {
			select {
			case <-deadline:
				return
			case s := <-terminated:
				if s == syscall.SIGUSR1 {
					os.Exit(5)
				}
				if !deaf {
					os.Exit(143)
				}
			}
		}
	}
	for len(args) > 0 {
		switch cmd := next(); cmd {
		case "sleep":
			wait(time.Duration(number() * float64(time.Second)))
		case "exit":
			os.Exit(int(number()))
		case "http":
			go func(port string) { check(http.ListenAndServe(":"+port, http.HandlerFunc(hello))) }(next())
		case "append":
			f, err := os.OpenFile(next(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
			check(err)
			_, err = f.WriteString(next() + "\n")
			check(err)
			check(f.Close())
		case "say":
			fmt.Println(next())
		case "complain":
			fmt.Fprintln(os.Stderr, next())
		case "chatter":
			for i, n := 0, int(number()); i < n; i++ {
				fmt.Println("out", i)
				fmt.Fprintln(os.Stderr, "err", i)
				if i%10 == 9 {
					time.Sleep(10 * time.Millisecond)
				}
			}
		case "cat":
			_, err := io.Copy(os.Stdout, os.Stdin)
			check(err)
		case "sizes":
			sizes(int(number()))
		case "deaf":
			deaf = true
		case "env":
			fmt.Println(strings.Join(os.Environ(), "\n"))
		case "eat":
			b := make([]byte, int(number())<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
		case "feed":
			err := exec.Command(os.Args[0], "eat", next()).Run()
			fmt.Println("the child has ended:", err)
		case "healthy":
			time.AfterFunc(time.Duration(number()*float64(time.Second)), func() { check(os.WriteFile("/healthy", nil, 0o600)) })
		case "alive":
			_, err := os.Stat(next())
			check(err)
		default:
			fmt.Fprintln(os.Stderr, "unknown command", cmd)
			os.Exit(64)
		}
	}
}

func sizes(n int) {
	for last := (unix.Winsize{}); n > 0; time.Sleep(5 * time.Millisecond) {
		size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
		check(err)
		if size.Row != 0 && *size != last {
			fmt.Printf("%dx%d\n", size.Row, size.Col)
			last, n = *size, n-1
		}
	}
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
