package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"
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

// hearOut shakes hands, asks nothing, and returns what the server then says of our
// certificate. TLS 1.3 lets a client write before the server has looked at it: a server
// that closes with our request unread sends a reset, which drives its alert away.
func (e Endpoint) hearOut(ctx context.Context) error {
	conn, err := e.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline := time.Now().Add(alertTime)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// alertTime is how long an alert may take after the handshake: a round trip, and the
// server's look at the certificate.
const alertTime = 200 * time.Millisecond
