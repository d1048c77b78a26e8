package node

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// untrusted says whether err is a failed TLS handshake: the wrong CA, a name that
// does not match, a missing client certificate, or a server without TLS.
func untrusted(err error) bool {
	var record tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	var name x509.HostnameError
	return errors.As(err, &record) || errors.As(err, &verification) || errors.As(err, &alert) || errors.As(err, &name) ||
		strings.Contains(err.Error(), "remote error: tls:") // crypto/tls has no exported type for an alert received
}
