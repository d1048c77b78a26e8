package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// files reads the secrets and certificates that the group names. A problem
// leaves the value out, never something weaker in its place.
func (c *checker) files(g *Group, raw fileGroup, a access) {
	g.Password = c.secret(raw.PasswordFile, g.origin.place("password_file"), a, "REDIS_VIP_PASSWORD", "REDISCLI_AUTH")
	g.SentinelPassword = c.secret(raw.SentinelPasswordFile, g.origin.place("sentinel_password_file"), a, "REDIS_VIP_SENTINEL_PASSWORD", "")
	g.WitnessPassword = c.secret(raw.WitnessPasswordFile, g.origin.place("witness_password_file"), a, "REDIS_VIP_WITNESS_PASSWORD", "")
	if raw.TLS != nil {
		g.TLS = c.tls(*raw.TLS, g.origin, a)
	}
}

// secret finds a password: flag, own variable, file, foreign variable.
func (c *checker) secret(path string, p place, a access, own, foreign string) Secret {
	if text := os.Getenv(own); text != "" && !p.origin.overridden[p.key] {
		return NewSecret(text)
	}
	if path == "" {
		if foreign == "" {
			return Secret{}
		}
		return NewSecret(os.Getenv(foreign))
	}
	data, bad := a.read(path, maxPassword, private)
	if bad.what != "" {
		c.fail(p, bad.what, bad.remedy)
		return Secret{}
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case text == "":
		c.fail(p, path+" is empty", "write the password into it, and nothing else")
	case strings.ContainsAny(text, "\n\r"):
		c.fail(p, path+" has more than one line", "write the password into it, and nothing else")
	default:
		return NewSecret(text)
	}
	return Secret{}
}

// tls builds the configuration of connections to nodes, Sentinels and witnesses.
func (c *checker) tls(raw fileTLS, from origin, a access) *tls.Config {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: raw.ServerName}
	if raw.CA != "" {
		// Empty until filled: an unreadable authority must not become "any".
		out.RootCAs = x509.NewCertPool()
		pem, bad := a.read(raw.CA, maxPEM, unchangeable)
		if bad.what == "" && !out.RootCAs.AppendCertsFromPEM(pem) {
			bad = problem{raw.CA + " holds no certificate", "it needs at least one in PEM form"}
		}
		if bad.what != "" {
			c.fail(from.place("tls.ca"), bad.what, bad.remedy)
		}
	}
	if raw.Cert != "" {
		cert, badCert := a.read(raw.Cert, maxPEM, unchangeable)
		if badCert.what != "" {
			c.fail(from.place("tls.cert"), badCert.what, badCert.remedy)
		}
		key, badKey := a.read(raw.Key, maxPEM, private)
		if badKey.what != "" {
			c.fail(from.place("tls.key"), badKey.what, badKey.remedy)
		}
		if badCert.what == "" && badKey.what == "" {
			if pair, err := tls.X509KeyPair(cert, key); err != nil {
				c.fail(from.place("tls.cert"), fmt.Sprintf("%s and %s cannot be used: %s", raw.Cert, raw.Key, strings.TrimPrefix(err.Error(), "tls: ")),
					"they must be one certificate and its own private key in PEM form")
			} else {
				out.Certificates = []tls.Certificate{pair}
			}
		}
	}
	return out
}

// Rules for the permissions of a file.
const (
	private      fs.FileMode = 0o007 // others may do nothing
	unchangeable fs.FileMode = 0o002 // others may not write
)

// read reads a file that the configuration names.
func (a access) read(path string, limit int64, forbidden fs.FileMode) ([]byte, problem) {
	data, info, err := readRegular(path, limit, 0)
	var bad *Error
	switch {
	case errors.As(err, &bad):
		return nil, problem{path + " " + bad.Problem, "name the right file"}
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem{path + " does not exist", "create it, or name the right file"}
	case errors.Is(err, fs.ErrPermission):
		return nil, problem{fmt.Sprintf("%s cannot be read by user %d", path, os.Geteuid()), "let its group be one of the user's, mode 0640"}
	case err != nil:
		return nil, problem{path + ": " + reason(err), ""}
	}
	switch mode := info.Mode(); {
	case mode&forbidden == 0:
	case mode&0o002 != 0:
		return nil, problem{fmt.Sprintf("%s may be written by everybody (mode %04o)", path, mode.Perm()), "chmod o-rwx " + path}
	default:
		return nil, problem{fmt.Sprintf("%s may be read by everybody (mode %04o)", path, mode.Perm()), "chmod o-rwx " + path}
	}
	if a.onlyFor != nil && !a.onlyFor.couldRead(info) {
		return nil, problem{path + " is beyond the owner of the last good copy", "repair the configuration"}
	}
	return data, problem{}
}

// couldRead is true if the permissions alone let the owner read the file.
func (o owner) couldRead(info fs.FileInfo) bool {
	of, mode := ownerOf(info), info.Mode()
	return of.uid == o.uid || of.gid == o.gid && mode&0o040 != 0 || mode&0o004 != 0
}
