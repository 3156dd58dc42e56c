// Command app serves Heroes, or runs one of its tasks.
package main

import (
	"fmt"
	"os"
	"slices"

	_ "heroes/grifts"
	"heroes/models"

	"github.com/gobuffalo/grift/grift"
)

const usage = `app serves Heroes, or runs one of its tasks:

  app              serve
  app migrate      create the tables that SESSION_STORE=database needs
  app health       report whether the application is healthy
  app task list    list the tasks
  app task NAME    run one

Settings come from the environment; README.md lists them.
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return serve()
	}
	if slices.ContainsFunc(args, isHelp) {
		fmt.Print(usage)
		return nil
	}
	switch args[0] {
	case "migrate":
		err := models.Migrate()
		if err == nil {
			fmt.Println("the tables are up to date")
		}
		return err
	case "health":
		return health()
	case "task":
		grift.CommandName = "app task"
		return grift.Exec(args[1:], false)
	}
	return fmt.Errorf("unknown command %q: app --help lists the commands", args[0])
}

func isHelp(arg string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, arg)
}
