package runtime

import "io"

// Exec is a command to run in a running container, beside its main program.
type Exec struct {
	Command    []string
	Env        []string // NAME=value, in addition to the container's
	User       string   // empty: the container's
	WorkingDir string   // empty: the container's

	// TTY gives the command a terminal. All of its output then goes to Stdout, with the
	// terminal's line ends.
	TTY    bool
	Size   Size        // initial size of the terminal; zero: the engine's choice
	Resize <-chan Size // nil: the size stays. A size that comes too late has no effect.

	// Stdin is the command's input, read to its end; nil: no input. When the command
	// ends, Exec does not wait for a Read that is under way. The caller must end that
	// Read.
	Stdin io.Reader
	// Stdout and Stderr receive the command's output as it comes; nil discards it. They
	// are not used after Exec has returned.
	Stdout, Stderr io.Writer

	// Begun, if not nil, is called when the engine has accepted the command.
	Begun func()
}

// Size is the size of a terminal in characters.
type Size struct{ Rows, Columns uint }
