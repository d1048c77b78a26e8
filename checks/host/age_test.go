package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"redis-vip/checks/host"
)

func TestAge(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	// A process may call itself what it likes.
	name := filepath.Join(t.TempDir(), "a) S 1 (b")
	if err := os.Symlink(sleep, name); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	child := exec.Command(name, "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		child.Process.Kill()
		child.Wait()
	}()
	age, err := host.Age(child.Process.Pid)
	if most := time.Since(before) + 20*time.Millisecond; err != nil || age < -20*time.Millisecond || age > most {
		t.Errorf("%v old (%v), want between 0 and %v", age, err, most)
	}
	if older, err := host.Age(os.Getpid()); err != nil || older < age {
		t.Errorf("we are %v old (%v), and our child %v", older, err, age)
	}
	if age, err := host.Age(0); err == nil {
		t.Errorf("no process is %v old", age)
	}
}
