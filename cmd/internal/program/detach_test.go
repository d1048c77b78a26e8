package program

import (
	"slices"
	"testing"

	"github.com/urfave/cli/v2"
)

// What starts another program hands on what that one understands, from the command
// line and from the environment.
func TestShared(t *testing.T) {
	t.Setenv("REDIS_VIP_HEAL", "true")
	t.Setenv("REDIS_VIP_TEXTFILE", "/run/redis-vip")
	t.Setenv("REDIS_VIP_PEER_TIMEOUT", "300ms")
	for name, test := range map[string]struct {
		flags []cli.Flag
		args  []string
	}{
		"redis-check":         {checkApp().Flags, []string{"--heal", "--expect", "any"}},
		"redis-vip reconcile": {reconcileCommand().Flags, []string{"--all", "--quiet", "--textfile", "/run"}},
	} {
		var got []string
		app := &cli.App{Flags: test.flags, Action: func(c *cli.Context) error { got = shared(c); return nil }}
		if err := app.Run(append([]string{name, "--group", "mymaster", "--tls"}, test.args...)); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if want := []string{"--group=mymaster", "--peer-timeout=300ms", "--tls=true"}; !slices.Equal(got, want) {
			t.Errorf("%s hands on %v, want %v", name, got, want)
		}
	}
}
