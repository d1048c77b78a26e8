package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPassword(t *testing.T) {
	for _, tt := range []struct {
		name    string
		content string
		prepare func(t *testing.T, path string)
		want    string // the password
		err     string // with PATH for the file
	}{
		{"plain", "pass", nil, "pass", ""},
		{"newline", "pass\n", nil, "pass", ""},
		{"CRLF", "pass\r\n", nil, "pass", ""},
		{"blanks stay", " pa ss \n", nil, " pa ss ", ""},
		{"empty", "\n", nil, "", "PATH is empty: write the password into it"},
		{"two lines", "requirepass x\nuser y\n", nil, "", "PATH has more than one line"},
		{"group may read", "pass", mode(0o640), "pass", ""},
		{"all may read", "pass", mode(0o644), "", "PATH may be read by everybody (mode 0644): chmod o-rwx PATH"},
		{"all may write", "pass", mode(0o622), "", "PATH may be written by everybody (mode 0622): chmod o-rwx PATH"},
		{"missing", "", remove, "", "PATH does not exist: create it, or name the right file"},
		{"directory", "", func(t *testing.T, p string) { remove(t, p); check(t, os.Mkdir(p, 0o700)) }, "", "PATH is not a regular file: name the right file"},
		{"FIFO", "", func(t *testing.T, p string) { remove(t, p); check(t, syscall.Mkfifo(p, 0o600)) }, "", "PATH is not a regular file"},
		{"device", "", func(t *testing.T, p string) { remove(t, p); check(t, os.Symlink("/dev/zero", p)) }, "", "PATH is not a regular file"},
		{"huge", strings.Repeat("x", 5000), nil, "", "PATH has more than 4096 bytes"},
		{"loop", "", func(t *testing.T, p string) { remove(t, p); check(t, os.Symlink(p, p)) }, "", "PATH: too many levels of symbolic links"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, "")
			path := put(t, filepath.Join(h.dir, "password"), tt.content)
			if tt.prepare != nil {
				tt.prepare(t, path)
			}
			put(t, h.file, "[group.a]\nnodes = ['10.0.0.1']\npassword_file = '"+path+"'\n")
			g, _, err := Load(Overrides{Config: h.file}, Options{})
			if tt.err != "" {
				want := h.file + ":3:17: password_file: " + strings.ReplaceAll(tt.err, "PATH", path)
				if err == nil || !strings.HasPrefix(err.Error(), want) {
					t.Errorf("\ngot  %v\nwant %s", err, want)
				}
				return
			}
			if err != nil || g.Password.Reveal() != tt.want {
				t.Errorf("%q %v", g.Password.Reveal(), err)
			}
		})
	}
}

func TestPasswordOrder(t *testing.T) {
	h := newHost(t, "")
	inFile := put(t, filepath.Join(h.dir, "file"), "from the file")
	inFlag := put(t, filepath.Join(h.dir, "flag"), "from the flag")
	with, without := "[group.a]\nnodes = ['10.0.0.1']\npassword_file = '"+inFile+"'\n", "[group.a]\nnodes = ['10.0.0.1']\n"
	for _, tt := range []struct{ content, flag, own, cli, want string }{
		{without, "", "", "", ""},
		{without, "", "", "redis-cli's", "redis-cli's"},
		{with, "", "", "redis-cli's", "from the file"},
		{with, "", "own", "redis-cli's", "own"},
		{with, inFlag, "own", "redis-cli's", "from the flag"},
	} {
		put(t, h.file, tt.content)
		t.Setenv("REDIS_VIP_PASSWORD", tt.own)
		t.Setenv("REDISCLI_AUTH", tt.cli)
		t.Setenv("REDIS_VIP_SENTINEL_PASSWORD", "watch")
		g, _, err := Load(Overrides{Config: h.file, PasswordFile: tt.flag}, Options{})
		if err != nil || g.Password.Reveal() != tt.want || g.SentinelPassword.Reveal() != "watch" {
			t.Errorf("%+v: %q %v", tt, g.Password.Reveal(), err)
		}
	}
	// A variable makes a broken file harmless.
	put(t, h.file, with)
	remove(t, inFile)
	t.Setenv("REDIS_VIP_PASSWORD", "own")
	if _, _, err := Load(Overrides{Config: h.file}, Options{}); err != nil {
		t.Error(err)
	}
	_, _, err := Load(Overrides{Config: h.file, PasswordFile: h.dir + "/none"}, Options{})
	if err == nil || err.Error() != "--password-file or REDIS_VIP_PASSWORD_FILE: "+h.dir+"/none does not exist: create it, or name the right file" {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := newCertificate(t, dir, "one")
	otherCert, otherKey := newCertificate(t, dir, "two")
	text := put(t, filepath.Join(dir, "text"), "no PEM")
	open := filepath.Join(dir, "open.key")
	data, err := os.ReadFile(key)
	check(t, err)
	put(t, open, string(data))
	check(t, os.Chmod(open, 0o644))
	openCA := put(t, filepath.Join(dir, "open.crt"), "")
	check(t, os.Chmod(openCA, 0o666))

	for _, tt := range []struct{ name, table, err string }{
		{"all", "ca = '" + cert + "'\ncert = '" + cert + "'\nkey = '" + key + "'\nserver_name = 'redis'\n", ""},
		{"ca only", "ca = '" + otherCert + "'\n", ""},
		{"empty", "", ""},
		{"mismatch", "cert = '" + cert + "'\nkey = '" + otherKey + "'\n", "4:8: tls.cert: " + cert + " and " + otherKey + " cannot be used: private key does not match public key"},
		{"missing key", "cert = '" + cert + "'\nkey = '/none'\n", "5:7: tls.key: /none does not exist"},
		{"missing cert", "cert = '/none'\nkey = '" + key + "'\n", "4:8: tls.cert: /none does not exist"},
		{"readable key", "cert = '" + cert + "'\nkey = '" + open + "'\n", "5:7: tls.key: " + open + " may be read by everybody (mode 0644)"},
		{"no PEM", "ca = '" + text + "'\n", "4:6: tls.ca: " + text + " holds no certificate"},
		{"writable ca", "ca = '" + openCA + "'\n", "4:6: tls.ca: " + openCA + " may be written by everybody (mode 0666)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, "[group.a]\nnodes = ['10.0.0.1']\n[group.a.tls]\n"+tt.table)
			g, _, err := Load(Overrides{Config: h.file}, Options{})
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), h.file+":"+tt.err) {
					t.Errorf("\ngot  %v\nwant %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if g.TLS == nil || g.TLS.MinVersion != tls.VersionTLS12 || g.TLS.InsecureSkipVerify {
				t.Errorf("%+v", g.TLS)
			}
			if tt.name == "all" && (len(g.TLS.Certificates) != 1 || g.TLS.RootCAs == nil || g.TLS.ServerName != "redis") {
				t.Errorf("%+v", g.TLS)
			}
		})
	}
	t.Run("flags", func(t *testing.T) {
		h := newHost(t, "[group.a]\nnodes = ['10.0.0.1']\n[group.a.tls]\nca = '/none'\nserver_name = 'redis'\n")
		g, _, err := Load(Overrides{Config: h.file, TLSCA: cert, TLSCert: cert, TLSKey: key}, Options{})
		if err != nil || g.TLS.ServerName != "redis" || len(g.TLS.Certificates) != 1 {
			t.Errorf("%+v %v", g.TLS, err)
		}
	})
}

func newCertificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	check(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	check(t, err)
	return put(t, filepath.Join(dir, name+".crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		put(t, filepath.Join(dir, name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
}

// stranger is a user and group that is neither root nor the one that runs the
// tests.
const stranger = 54321

func TestTrust(t *testing.T) {
	for _, tt := range []struct {
		name    string
		root    bool // needs root to prepare
		prepare func(t *testing.T, h *host)
		err     string // with FILE and DIR; empty: accepted
	}{
		{"0600", false, func(*testing.T, *host) {}, ""},
		{"0644", false, func(t *testing.T, h *host) { mode(0o644)(t, h.file) }, ""},
		{"all may write", false, func(t *testing.T, h *host) { mode(0o646)(t, h.file) }, "FILE: may be written by everybody (mode 0646): chmod o-w FILE"},
		{"group may write", true, func(t *testing.T, h *host) { own(t, h.file, 0, stranger); mode(0o660)(t, h.file) }, fmt.Sprintf("FILE: may be written by group %d (mode 0660): chmod g-w FILE", stranger)},
		{"root's group may write", true, func(t *testing.T, h *host) { mode(0o660)(t, h.file) }, ""},
		{"foreign owner", true, func(t *testing.T, h *host) { own(t, h.file, stranger, 0) }, fmt.Sprintf("FILE: belongs to user %d, who could change it: chown root FILE", stranger)},
		{"directory of all", false, func(t *testing.T, h *host) { mode(0o777)(t, h.dir) }, "DIR: may be written by everybody (mode 0777): chmod o-w DIR"},
		{"sticky directory of all", false, func(t *testing.T, h *host) { check(t, os.Chmod(h.dir, 0o777|os.ModeSticky)) }, ""},
		{"directory of a group", true, func(t *testing.T, h *host) { own(t, h.dir, 0, stranger); mode(0o770)(t, h.dir) }, fmt.Sprintf("DIR: may be written by group %d (mode 0770): chmod g-w DIR", stranger)},
		{"directory of a stranger", true, func(t *testing.T, h *host) { own(t, h.dir, stranger, 0) }, fmt.Sprintf("DIR: belongs to user %d", stranger)},
		{"directory further up", false, func(t *testing.T, h *host) {
			deep := filepath.Join(h.dir, "a", "b")
			check(t, os.MkdirAll(deep, 0o700))
			mode(0o777)(t, filepath.Dir(deep))
			h.file = put(t, filepath.Join(deep, "redis-vip.toml"), pair)
		}, "DIR/a: may be written by everybody"},
		{"link", false, func(t *testing.T, h *host) { link(t, h, "other.toml") }, ""},
		{"link to what all may write", false, func(t *testing.T, h *host) {
			target := h.file
			link(t, h, "other.toml")
			mode(0o666)(t, target)
		}, "DIR/redis-vip.toml: may be written by everybody (mode 0666)"},
		{"link into a directory of all", false, func(t *testing.T, h *host) {
			open := filepath.Join(h.dir, "open")
			check(t, os.Mkdir(open, 0o700))
			put(t, filepath.Join(open, "x.toml"), pair)
			mode(0o777)(t, open)
			h.file = filepath.Join(h.dir, "link.toml")
			check(t, os.Symlink("open/x.toml", h.file))
		}, "DIR/open: may be written by everybody"},
		{"link through a directory of all", false, func(t *testing.T, h *host) {
			open := filepath.Join(h.dir, "open")
			check(t, os.Mkdir(open, 0o700))
			check(t, os.Symlink(h.file, filepath.Join(open, "x.toml")))
			mode(0o777)(t, open)
			h.file = filepath.Join(h.dir, "link.toml")
			check(t, os.Symlink("open/x.toml", h.file))
		}, "DIR/open: may be written by everybody"},
		{"directory is a link", false, func(t *testing.T, h *host) {
			check(t, os.Symlink(".", filepath.Join(h.dir, "here")))
			h.file = filepath.Join(h.dir, "here", "redis-vip.toml")
		}, ""},
		{"a stranger's link in a sticky directory", true, func(t *testing.T, h *host) {
			tmp := filepath.Join(h.dir, "tmp")
			check(t, os.Mkdir(tmp, 0o700))
			check(t, os.Chmod(tmp, 0o777|os.ModeSticky))
			check(t, os.Symlink(h.file, filepath.Join(tmp, "x.toml")))
			check(t, os.Lchown(filepath.Join(tmp, "x.toml"), stranger, stranger))
			h.file = filepath.Join(tmp, "x.toml")
		}, "DIR/tmp/x.toml: belongs to user"},
		{"loop", false, func(t *testing.T, h *host) {
			h.file = filepath.Join(h.dir, "loop")
			check(t, os.Symlink("loop", h.file))
		}, "FILE: too many symbolic links"},
		{"dangling", false, func(t *testing.T, h *host) {
			h.file = filepath.Join(h.dir, "dangling")
			check(t, os.Symlink("none", h.file))
		}, "FILE: no such file"},
		{"directory as file", false, func(t *testing.T, h *host) { h.file = h.dir }, "DIR: is not a regular file"},
		{"FIFO", false, func(t *testing.T, h *host) { remove(t, h.file); check(t, syscall.Mkfifo(h.file, 0o600)) }, "FILE: is not a regular file"},
		{"file as directory", false, func(t *testing.T, h *host) { h.file += "/x" }, "FILE: not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			h := newHost(t, pair)
			dir := h.dir
			check(t, os.Chmod(dir, 0o755))
			tt.prepare(t, &h)
			_, _, err := Load(Overrides{Config: h.file}, Options{})
			if tt.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			want := strings.NewReplacer("FILE", h.file, "DIR", dir).Replace(tt.err)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("\ngot  %v\nwant %s", err, want)
			}
		})
	}
}

func TestRelativeConfigFlag(t *testing.T) {
	h := newHost(t, pair)
	t.Chdir(h.dir)
	if _, source, err := Load(Overrides{Config: "redis-vip.toml"}, Options{}); err != nil || !filepath.IsAbs(source.File) {
		t.Error(source, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mode(m os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, path string) { t.Helper(); check(t, os.Chmod(path, m)) }
}

func own(t *testing.T, path string, uid, gid int) { t.Helper(); check(t, os.Chown(path, uid, gid)) }

func remove(t *testing.T, path string) { t.Helper(); check(t, os.Remove(path)) }

func link(t *testing.T, h *host, name string) {
	t.Helper()
	path := filepath.Join(h.dir, name)
	check(t, os.Symlink(filepath.Base(h.file), path))
	h.file = path
}
