package edge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"heroes/session"

	"github.com/felixge/httpsnoop"
	"github.com/gobuffalo/buffalo"
)

// NewLogger returns a logger that writes lines of level and above to w: as JSON in production, as
// text elsewhere. It writes at most perSecond lines of each kind in a second. Zero means no limit.
func NewLogger(w io.Writer, level slog.Level, perSecond int, production bool) buffalo.Logger {
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if production {
		h = slog.NewJSONHandler(w, options)
	}
	return logger{slog: slog.New(newBounded(h, perSecond))}
}

// logRequests writes a line for each response. It logs the path and not the query, so neither the
// values of a form nor a session reach the log.
func logRequests(l buffalo.Logger, next http.Handler) http.Handler {
	out := l.(logger).slog
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !out.Enabled(r.Context(), slog.LevelInfo) {
			next.ServeHTTP(w, r)
			return
		}
		method, path := r.Method, r.URL.Path // Buffalo changes both
		m := httpsnoop.CaptureMetrics(next, w, r)
		out.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("request_id", RequestID(r.Context())),
			slog.String("method", method),
			slog.String("path", path),
			slog.Int("status", m.Code),
			slog.Int64("size", m.Written),
			slog.String("duration", m.Duration.String()))
	})
}

// LogSession writes a line for an event of a session. The level is error if a change was lost or
// the session could not be loaded.
func LogSession(ctx context.Context, l buffalo.Logger, e session.Event) {
	level, message := slog.LevelDebug, "session"
	switch e.Kind {
	case session.Lost, session.Unreachable:
		level, message = slog.LevelError, e.Err.Error()
	case session.NotAdopted:
		level, message = slog.LevelWarn, e.Err.Error()
	case session.Conflict, session.Limited:
		level, message = slog.LevelInfo, e.Err.Error()
	case session.Rejected:
		level, message = slog.LevelInfo, "a session cookie was refused"
	case session.DeviceRefused:
		level, message = slog.LevelInfo, "a browser could not register or prove its key"
	}
	out := l.(logger).slog
	if !out.Enabled(ctx, level) {
		return
	}
	fields := []slog.Attr{slog.String("session", string(e.Kind))}
	for _, field := range []slog.Attr{slog.String("session_id", e.ID), slog.String("request_id", RequestID(ctx)), slog.String("reason", string(e.Reason))} {
		if field.Value.String() != "" {
			fields = append(fields, field)
		}
	}
	out.LogAttrs(ctx, level, message, fields...)
}

// A logger makes a slog.Logger a buffalo.Logger. Buffalo adds fields for every page but seldom
// writes a line, so fields are only collected until then.
type logger struct {
	slog   *slog.Logger
	fields []any
}

func (l logger) log(level slog.Level, message func() string) {
	if l.slog.Enabled(context.Background(), level) {
		l.slog.Log(context.Background(), level, message(), l.fields...)
	}
}

func (l logger) print(level slog.Level, args []any) {
	l.log(level, func() string { return fmt.Sprint(args...) })
}

func (l logger) printf(level slog.Level, format string, args []any) {
	l.log(level, func() string { return fmt.Sprintf(format, args...) })
}

func (l logger) WithField(name string, value any) buffalo.Logger {
	return logger{l.slog, append(l.fields[:len(l.fields):len(l.fields)], name, value)}
}

func (l logger) WithFields(fields map[string]any) buffalo.Logger {
	var with buffalo.Logger = l
	for name, value := range fields {
		with = with.WithField(name, value)
	}
	return with
}

func (l logger) Debug(args ...any)            { l.print(slog.LevelDebug, args) }
func (l logger) Info(args ...any)             { l.print(slog.LevelInfo, args) }
func (l logger) Warn(args ...any)             { l.print(slog.LevelWarn, args) }
func (l logger) Error(args ...any)            { l.print(slog.LevelError, args) }
func (l logger) Debugf(f string, args ...any) { l.printf(slog.LevelDebug, f, args) }
func (l logger) Infof(f string, args ...any)  { l.printf(slog.LevelInfo, f, args) }
func (l logger) Printf(f string, args ...any) { l.printf(slog.LevelInfo, f, args) }
func (l logger) Warnf(f string, args ...any)  { l.printf(slog.LevelWarn, f, args) }
func (l logger) Errorf(f string, args ...any) { l.printf(slog.LevelError, f, args) }

func (l logger) Panic(args ...any) {
	l.Error(args...)
	panic(fmt.Sprint(args...))
}

func (l logger) Fatal(args ...any) {
	l.Error(args...)
	os.Exit(1)
}

func (l logger) Fatalf(f string, args ...any) {
	l.Errorf(f, args...)
	os.Exit(1)
}
