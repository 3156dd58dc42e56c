//go:build sqlite

package docs

func init() { withSQLite = true }
