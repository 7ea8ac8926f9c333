// Command ashore is Ashore: control plane, agent and tools in one binary.
//
// Each subcommand has a file and a type whose Run runs it. On systems other than Linux
// there are only the client commands: commands_linux.go lists the others.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/plain"
	_ "github.com/ashore/ashore/internal/sample/early" // the sample image's tools end the process here
)

// commands is the command line. The platform's commands come first.
type commands struct {
	platformCommands `kong:"embed"`

	Explain   explainCommand   `cmd:"" help:"Say why a task or a service is as it is."`
	Env       envCommand       `cmd:"" help:"Print what points your shell's aws at Ashore."`
	Configure configureCommand `cmd:"" help:"Add a profile to the AWS tools' files."`
	Events    eventsCommand    `cmd:"" help:"Print what happens, as ECS's events."`
	Watch     watchCommand     `cmd:"" help:"Print a part of the state, and each change of it."`
	Unknown   unknownCommand   `cmd:"" help:"After a restore: list, stop or keep what hosts have run since the backup."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// terminal is the output of a command. The arguments of printf and note may contain
// text of a host or of a task definition. Their control characters are escaped, so the
// text stays on its line.
type terminal struct {
	out, err io.Writer
	environ  []string
}

func (t *terminal) printf(format string, args ...any) {
	fmt.Fprintf(t.out, format, plain.Args(args)...)
}

func (t *terminal) note(format string, args ...any) {
	fmt.Fprintf(t.err, format+"\n", plain.Args(args)...)
}

// script prints text for a shell, unchanged.
func (t *terminal) script(text string) { io.WriteString(t.out, text) } //nolint:errcheck // as printf

// dataDir is the flag of every command that works on an installation.
type dataDir struct {
	DataDir string `placeholder:"DIR" env:"ASHORE_DATA_DIR" help:"The installation's folder. Default: /var/lib/ashore as root, else ashore in your data folder."`
}

func (d dataDir) layout() (local.Layout, error) {
	e, err := local.ThisEnv()
	if err != nil {
		return local.Layout{}, err
	}
	return local.NewLayout(e, d.DataDir)
}

// admin returns the key of the installation's administrator and the server's endpoint.
func (d dataDir) admin() (local.Admin, error) {
	l, err := d.layout()
	if err != nil {
		return local.Admin{}, err
	}
	return local.ReadAdmin(l)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A reader that stops reading (`ashore up | head`) must not end this process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], &terminal{out: os.Stdout, err: os.Stderr, environ: os.Environ()}))
}

const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// run is main without the process. It returns the exit status.
func run(ctx context.Context, args []string, t *terminal) (status int) {
	var c commands
	// kong exits after --help. Here that is a panic with the status.
	type exit int
	defer func() {
		if r := recover(); r != nil {
			code, ok := r.(exit)
			if !ok {
				panic(r)
			}
			status = int(code)
		}
	}()
	parser, err := kong.New(&c,
		kong.Name("ashore"),
		kong.Description("Amazon ECS on your own machines: control plane, agent and tools in one binary."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(t),
	)
	if err != nil {
		hint.Print(t.err, err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		var wrong *kong.ParseError
		if errors.As(err, &wrong) && wrong.Context != nil && wrong.Context.Command() != "" {
			err = hint.With(err, "see `ashore %s --help`", wrong.Context.Selected().FullPath()[len("ashore "):])
		} else {
			err = hint.With(err, "see `ashore --help`")
		}
		hint.Print(t.err, err)
		return exitUsage
	}
	err = k.Run()
	var status2 exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status2):
		return int(status2)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(t.err, "interrupted")
		return exitInterrupted
	}
	hint.Print(t.err, err)
	return exitFailed
}

// exitError ends the process with a status and prints nothing.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// help prints kong's help and then the command's example.
func help(o kong.HelpOptions, k *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, k); err != nil {
		return err
	}
	example := "ashore up --detach\n  eval \"$(ashore env)\"\n  aws ecs list-tasks"
	if n := k.Selected(); n != nil {
		e, ok := n.Target.Addr().Interface().(interface{ Example() string })
		if !ok {
			return nil
		}
		example = e.Example()
	}
	_, err := fmt.Fprintf(k.Stdout, "\nExample:\n  %s\n", example)
	return err
}
