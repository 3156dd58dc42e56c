// Package public has the files that anyone may load.
package public

import "embed"

//go:embed style.css
var Files embed.FS
