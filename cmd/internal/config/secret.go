package config

import (
	"fmt"
	"io"
)

// hidden is all that is ever printed of a Secret.
const hidden = "[secret]"

// Secret is a text that no log, error, trace or marshaller shows: each way of
// printing it gives "[secret]". Only [Secret.Reveal] gives the text. The zero
// Secret is none.
type Secret struct {
	// A pointer, because fmt prints unexported fields of foreign structs
	// without asking their methods: of this one it can only show an address.
	text *string
}

// NewSecret hides text. An empty text gives the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal gives the text, to be handed to the server and nowhere else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero is true where there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// String implements fmt.Stringer.
func (Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return hidden }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON implements json.Marshaler, and so what zerolog's Interface and
// Any print.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
