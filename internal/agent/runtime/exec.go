package runtime

import "io"

// Exec is a command to be run in a running container, beside its program.
type Exec struct {
	Command    []string
	Env        []string // NAME=value, besides the container's
	User       string   // empty: the container's
	WorkingDir string   // empty: the container's

	// TTY gives the command a terminal. All that it says then goes to Stdout, with
	// the terminal's line ends.
	TTY    bool
	Size   Size        // of the terminal in the beginning; zero: the engine's choice
	Resize <-chan Size // nil: the size stays. A size that comes too late has no effect.

	// Stdin is read to its end, which is the end of the command's input; nil: it has
	// none. A Read that is under way when the command ends is not waited for: whoever
	// began the command ends it.
	Stdin io.Reader
	// Stdout and Stderr take what the command says as it comes; nil: nobody hears it.
	// They are not used after Exec has returned.
	Stdout, Stderr io.Writer

	// Begun, if not nil, is called when the engine has taken the command on.
	Begun func()
}

// Size of a terminal in characters.
type Size struct{ Rows, Columns uint }
