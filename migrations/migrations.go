// Package migrations holds the database's migrations, for a binary that runs
// without the source. (Buffalo's CLI writes an embed.go of its own beside it while
// it builds, hence the names.)
package migrations

import "embed"

// SQL are the migrations.
//
//go:embed *
var SQL embed.FS
