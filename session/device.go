package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"heroes/session/internal/values"
)

// A session is bound to a device as follows. A response that saves an unbound session offers registration. The
// browser makes a key and registers it with package devicebound. Soon afterwards it proves for the first time that it has
// the key, and receives a cookie: the proof. The first request with a proof binds the session to the key. A
// registration alone binds nothing, because the browser may not have received the answer. From then on, the session
// opens only with a proof that is younger than Options.DeviceProof. The browser refreshes the proof before it expires.

// DevicePath is the path below which package devicebound answers browsers.
const DevicePath = "/dbsc/"

const (
	// challengeTime is how long an offer to register can be answered, and how long a challenge can be answered after the
	// proof that it came with has expired.
	challengeTime = 5 * time.Minute

	// offerInterval is the shortest time between two offers to register for the same session.
	offerInterval = challengeTime

	// firstProof is the longest life of the placeholder cookie that a registration sets. The browser proves that it has the
	// key before the cookie expires, or with the next request.
	firstProof = 30 * time.Second

	// settleTime is how long, after a session in a cookie has begun, a response in progress may still bring back an
	// earlier session.
	settleTime = time.Minute
)

// errUncertain reports that it is uncertain whether a session has ended.
var errUncertain = fmt.Errorf("%w: it is uncertain whether the session has ended", ErrUnavailable)

// ErrUnproven reports that the session is bound to a device, and that the request has no valid proof. Nothing was saved, and
// the session's cookie was left alone. The answer is 409. The request can be repeated after the browser has
// refreshed the proof. SignIn begins a new session. Destroy ends this one.
var ErrUnproven = errors.New("session: the request does not prove that it comes from the device that the session is bound to, so nothing was saved: repeat the request, or sign in again")

// ErrChallenge reports that a challenge was not made for this session, is too old, or was answered before.
var ErrChallenge = errors.New("session: the challenge is not valid any more: answer a new one")

// A binding is what a session knows of the device that it is bound to.
type binding struct {
	key      string        // public; "" if the session is not bound
	optional time.Duration // how much longer a bound session opens without a proof
	required time.Time     // when it does not any more, by the backend's clock; on a server only; if not bound: when it would not
	offered  time.Duration // until registration can be offered again
	proofs   uint64        // how many proofs were made since the session was bound, with the first; on a server only

	offer bool // this write offers registration; not sealed
}

// checkDevice reports options for devices that cannot work.
func (o Options) checkDevice() error {
	switch {
	case o.DeviceProof != 0 && o.DeviceProof < time.Second:
		return errors.New("session: Options.DeviceProof must be at least a second, or 0 for sessions that are not bound to a device")
	case o.DeviceProof != 0 && (o.Domain != "" || o.Path != "/" || o.Partitioned):
		return errors.New("session: Options.DeviceProof needs a cookie that is not Partitioned, without Domain and with the Path /: only the host that set the proof receives it, and browsers refresh it below " + DevicePath)
	}
	return nil
}

// withBinding returns c bound to the key that the request proves, if c was not bound before. If sessions are not to be
// bound, it returns c without a binding.
func (v *visit) withBinding(c content) content {
	switch o := v.store.options; {
	case o.DeviceProof == 0:
		c.binding = binding{}
	case c.key == "" && v.proof.id == c.id:
		c.key, c.optional, c.offered = v.proof.key, o.Grace, 0
		if o.Backend != nil {
			c.proofs++ // the first one
		}
	}
	return c
}

// offerIfDue decides whether saving h offers registration. It does not if nobody is signed in and every value can wait.
func (v *visit) offerIfDue(h *held) {
	lasting := h.owner != "" || changeOf("", h.values) == changed
	if v.store.options.DeviceProof > 0 && h.key == "" && h.offered <= 0 && lasting && v.session.Options.Domain == "" {
		h.offered, h.offer = offerInterval, true
	}
}

// bindingDue reports whether the binding must change, so that the session has to be saved.
func (v *visit) bindingDue() bool {
	if v.store.options.DeviceProof == 0 {
		return v.held.key != ""
	}
	return v.held.key == "" && v.proof.id == v.held.id
}

// deviceAllows reports whether the request can use h now: because h is not bound, does not need a proof yet, or the request has
// a valid one.
func (v *visit) deviceAllows(h held) bool {
	if v.store.options.DeviceProof == 0 || h.key == "" || h.after(time.Since(h.at)).optional > 0 {
		return true
	}
	p := v.proof
	return p.id == h.id && p.key == h.key && time.Now().Before(p.until)
}

// A proof says that the browser has the key, and has registered it for the session with that ID. It is zero if there is
// none.
type proof struct {
	id    ID
	key   string
	until time.Time
}

// readProof sets v.proof from the request's cookies. If h is not bound, it accepts any key that was registered for h.
func (v *visit) readProof(r *http.Request, h held) {
	s, name := v.store, v.session.Name()
	if s.options.DeviceProof == 0 {
		return
	}
	prefix := proofName(name, h.id, h.key)
	cookies := r.CookiesNamed(prefix)
	if h.key == "" {
		cookies = r.Cookies()
	}
	for _, c := range cookies {
		if !strings.HasPrefix(c.Name, prefix) {
			continue
		}
		key, age := s.openTimed(kindProof, name, h.id, c.Value)
		if age < s.options.DeviceProof {
			v.proof = proof{h.id, key, time.Now().Add(s.options.DeviceProof - age)}
			return
		}
	}
}

// unproven returns why a request without a proof was rejected: what the browser says (the header Secure-Session-Skipped of
// DBSC) or, if it says nothing, Unproven. Anyone can send that header, so it is only for logs.
func unproven(r *http.Request) Reason {
	said, _, _ := strings.Cut(r.Header.Get("Secure-Session-Skipped"), ";")
	switch said {
	case "quota_exceeded":
		return SkippedQuota
	case "unreachable":
		return SkippedUnreachable
	case "server_error":
		return SkippedError
	}
	return Unproven
}

// offerRegistration asks the browser to register a key, if this was noted in the session when it was saved.
func (v *visit) offerRegistration(header http.Header) {
	if !v.held.offer {
		return
	}
	v.held.offer = false
	name := v.session.Name()
	challenge := v.store.sealTimed(kindOffer, name, v.held.id, "")
	header.Add("Secure-Session-Registration", `(ES256);path="`+DevicePath+url.PathEscape(name)+`/register";challenge="`+challenge+`"`)
}

// removeProof removes the proof of a session that has ended, so that the browser learns of it at once. Of a session in a
// cookie, nobody could tell the browser yet: see identifiedCookie.
func (v *visit) removeProof(header http.Header) {
	if p := v.proof; p.key != "" && v.store.server() != nil {
		header.Add("Set-Cookie", proofCookie(v.session.Name(), p.id, p.key, "", -1).String())
	}
}

// proofName returns the name of the proof's cookie or, without a key, what all such names begin with. __Host- keeps other
// hosts from setting it. The name contains parts of the ID and of the key's hash, so that the proofs of other keys and
// of earlier sessions, which the browser may still have, do not replace it.
func proofName(name string, id ID, key string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "__Host-"), "__Secure-")
	name = "__Host-" + name + "_proof_" + id.String()[:8] + "_"
	if key == "" {
		return name
	}
	hash := sha256.Sum256([]byte(key))
	return name + hex.EncodeToString(hash[:4])
}

// proofCookie returns the cookie with a proof. After a link from another site, the browser refreshes the proof without
// the session's cookie, and keeps the new proof only with SameSite=None. Alone, a proof opens nothing.
func proofCookie(name string, id ID, key, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:     proofName(name, id, key),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteNoneMode,
	}
}

// sealTimed seals a text for the session with that ID, together with the current time.
func (s *Store) sealTimed(kind byte, name string, id ID, text string) string {
	plain := append(binary.AppendUvarint(nil, uint64(time.Now().UnixMilli())), text...)
	return encodeText(s.keys.seal(plain, purpose(kind, name, id[:])))
}

// openTimed returns the text that sealTimed has sealed, and its age. If the value does not open, its age is forever.
func (s *Store) openTimed(kind byte, name string, id ID, value string) (text string, age time.Duration) {
	box, err := decodeText(value)
	if err != nil {
		return "", forever
	}
	plain, _, err := s.keys.open(box, purpose(kind, name, id[:]))
	if err != nil {
		return "", forever
	}
	r := values.Reader{Rest: plain}
	at := time.UnixMilli(int64(r.Uvarint()))
	return r.Rest, time.Since(at)
}

// BindsDevices reports whether Options.DeviceProof is set. It is for the middleware of a framework.
func (s *Store) BindsDevices() bool { return s.options.DeviceProof > 0 }

// A Binding is what ties a session to a device. It is for package devicebound; applications do not need it.
type Binding struct {
	ctx   context.Context
	store *Store
	name  string
	held  held   // the session; zero if there is none
	key   string // "" if the session is not bound, and the request names no key
	live  bool   // the request's cookie opens the session
}

// Binding returns the binding of a session with a cookie of that name: of the session with that Identifier or, if the
// identifier is "", of the request's. The error is ErrUnavailable if it is uncertain whether the session has ended.
// Once a browser learns that a session has ended, it discards the key.
func (s *Store) Binding(r *http.Request, name, identifier string) (*Binding, error) {
	s = s.latest.Load()
	b := &Binding{ctx: r.Context(), store: s, name: name}
	if identifier != "" {
		id, key, seal := parseIdentifier(identifier)
		if key == "" {
			return b, nil
		}
		h, err := s.identified(r, name, id, key, s.registeredAt(name, id, key, seal))
		if h.id == id {
			b.held, b.key = h, key
		}
		if errors.Is(err, errUncertain) {
			b.held.id = id
			b.ReportRefusal(Uncertain)
		} else if err != nil {
			b.emit(Event{Kind: Unreachable, Err: err})
		}
		return b, err
	}
	x := Of(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	v, err := x.visit(s, r, name)
	if err == nil {
		v.registering = true
		b.store = v.store
		b.held, b.key, b.live, err = v.held, v.held.key, v.brought == broughtLive, v.err
	}
	return b, err
}

// identified returns the session with that ID, if the key was registered for it at that time. It returns the zero held if the
// session has ended or is bound to another key. The error is ErrUnavailable.
func (s *Store) identified(r *http.Request, name string, id ID, key string, registered time.Time) (held, error) {
	if s.options.Backend == nil {
		return s.identifiedCookie(r, name, id, key, registered)
	}
	h, reason, err := s.read(r.Context(), name, id)
	switch {
	case err != nil:
		return held{}, err
	case reason == Refused && h.record != nil && !h.over, // sealed under a secret that this process does not have
		reason == "" && h.key == "" && registered.IsZero(): // perhaps the identifier is sealed under such a secret, too
		return held{}, errUncertain
	case reason != "", h.key != "" && h.key != key:
		return held{}, nil
	}
	return h, nil
}

// identifiedCookie does the same for a session in a cookie. If the request has no such cookie, the session counts as existing:
// a browser sends none if it refreshes the proof after a link from another site. If the request has another session
// instead, which began after the registration and is no longer new, the session counts as ended. In all other cases
// nobody knows: a response that is in progress can bring back an earlier cookie.
func (s *Store) identifiedCookie(r *http.Request, name string, id ID, key string, registered time.Time) (held, error) {
	if s.options.Revoked != nil {
		if t, _, record, err := s.loadStamp(r.Context(), id); err != nil || record != nil && t.mark == ended {
			return held{}, err
		}
	}
	if !sent(r, name) {
		return held{content: content{id: id}}, nil
	}
	cookies := r.CookiesNamed(name)
	if len(cookies) > maxCookies {
		return held{}, errUncertain
	}
	later := false
	for _, c := range cookies {
		h, reason, err := s.keeper.load(r.Context(), name, c.Value)
		switch {
		case err != nil:
			return held{}, err
		case h.id == id && !h.over && (h.key == "" || h.key == key): // RevokeOthers may be in progress, so it may not be over
			return h, nil
		case reason == "" && h.other == 0 && !registered.IsZero() && h.created.After(registered) && time.Since(h.created) > settleTime:
			later = true
		}
	}
	if later {
		return held{}, nil
	}
	return held{}, errUncertain
}

// ID returns the same ID of the session as Info, or "" if there is no session.
func (b *Binding) ID() string {
	if b.held.id == (ID{}) {
		return ""
	}
	return b.held.id.String()
}

// Key returns the key that the session is bound to or, if it is not bound yet, the one that the identifier names. It
// returns "" if there is none.
func (b *Binding) Key() string { return b.key }

// Identifier returns the name by which a browser knows the session and its key. It is not a secret. Its last part seals the
// key and when it was registered. It is needed only until the session on a server is bound, so a binding outlives its
// secret. A proof for another key does not open the session.
func (b *Binding) Identifier(key string) string {
	return b.held.id.String() + "." + encodeText([]byte(key)) + "." + b.store.sealTimed(kindRegistered, b.name, b.held.id, key)
}

// registeredAt returns when the key was registered for the session with that ID, according to the last part of an Identifier. It
// returns the zero time if that does not open.
func (s *Store) registeredAt(name string, id ID, key, seal string) time.Time {
	sealed, age := s.openTimed(kindRegistered, name, id, seal)
	if age == forever || sealed != key {
		return time.Time{}
	}
	return time.Now().Add(-age)
}

// maxKey and maxSeal are the longest parts that an identifier can have: of a key, in bytes, and of a seal, in characters.
const (
	maxKey  = 64
	maxSeal = 200
)

// parseIdentifier reads what Identifier returns. The key is "" if it is not one.
func parseIdentifier(text string) (id ID, key, seal string) {
	head, tail, _ := strings.Cut(text, ".")
	tail, seal, _ = strings.Cut(tail, ".")
	id, err1 := parseID(head)
	decoded, err2 := decodeText(tail)
	if err1 != nil || err2 != nil || len(decoded) > maxKey || len(seal) > maxSeal {
		return ID{}, "", ""
	}
	return id, string(decoded), seal
}

// Challenge returns a challenge for the browser to sign. It is valid for Options.DeviceProof and five minutes. On a server
// it can be answered only once, as soon as the session is bound; in cookies, it can be answered repeatedly. After Prove,
// Challenge returns the one for the next refresh.
func (b *Binding) Challenge() string {
	return b.store.sealTimed(kindChallenge, b.name, b.held.id, string(binary.AppendUvarint(nil, b.held.proofs)))
}

// Cookie returns the cookie with the proof of that key, without its value.
func (b *Binding) Cookie(key string) *http.Cookie { return proofCookie(b.name, b.held.id, key, "", 0) }

// Register sets a placeholder for the proof, so that the browser soon proves that it has the key. The caller has verified
// that the challenge, with which registration was offered, was signed with the key. The error is ErrChallenge.
func (b *Binding) Register(header http.Header, challenge, key string) error {
	_, age := b.store.openTimed(kindOffer, b.name, b.held.id, challenge)
	if age >= challengeTime || !b.live {
		return ErrChallenge
	}
	b.setProof(header, key, "registered", firstProof)
	return nil
}

// Prove sets the cookie with the proof. The caller has verified that the challenge was signed with the Key. The errors are
// ErrChallenge, ErrUnavailable and ErrContended.
func (b *Binding) Prove(header http.Header, challenge string) error {
	s := b.store
	text, age := s.openTimed(kindChallenge, b.name, b.held.id, challenge)
	r := values.Reader{Rest: text}
	if age >= s.options.DeviceProof+challengeTime || r.Uvarint() != b.held.proofs {
		return ErrChallenge
	}
	if s.options.Backend != nil {
		if err := s.countProof(b.ctx, b.name, b.held); err != nil {
			if latest, _, failed := s.read(b.ctx, b.name, b.held.id); failed == nil {
				b.held.proofs = latest.proofs // so that the next challenge can be answered
			}
			return err
		}
		b.held.proofs++ // also by binding the session
	}
	b.setProof(header, b.key, s.sealTimed(kindProof, b.name, b.held.id, b.key), s.options.DeviceProof)
	b.emit(Event{Kind: Proven})
	return nil
}

// setProof sets the cookie of a key. It expires up to ten seconds before the proof, so that a request that is sent at the
// last moment arrives in time.
func (b *Binding) setProof(header http.Header, key, value string, lasts time.Duration) {
	lasts = min(lasts, b.store.options.DeviceProof)
	lasts -= min(lasts/16, 10*time.Second)
	header.Add("Set-Cookie", proofCookie(b.name, b.held.id, key, value, max(1, int(lasts/time.Second))).String())
}

// ReportRefusal emits the event DeviceRefused.
func (b *Binding) ReportRefusal(reason Reason) { b.emit(Event{Kind: DeviceRefused, Reason: reason}) }

func (b *Binding) emit(e Event) {
	e.Name, e.ID = b.name, b.ID()
	b.store.options.OnEvent(b.ctx, e)
}

// countProof notes in the session's record that a proof was made, so that the challenge cannot be answered again. That
// counts as a use of the session. The error is ErrChallenge if another request came first.
func (s *Store) countProof(ctx context.Context, name string, h held) error {
	if h.key == "" { // binding the session counts it
		return nil
	}
	latest := h
	for range maxTries {
		if latest.owner != "" && latest.secret > 0 { // before it is sealed under the newest secret
			if err := s.addToIndex(ctx, name, latest.owner, latest.id); err != nil {
				return err
			}
		}
		next := latest
		next.at = time.Now()
		next.content = latest.touched(s.options, next.at)
		next.proofs++
		s.sealRecord(name, &next)
		ok, err := s.swap(ctx, h.id, latest.record, next.record, next.ttl())
		if _, lost := err.(lostReply); lost { // the challenge may have been answered
			return ErrChallenge
		}
		if ok || err != nil {
			return err
		}
		var reason Reason
		if latest, reason, err = s.read(ctx, name, h.id); err != nil {
			return err
		}
		if reason != "" || latest.proofs != h.proofs {
			return ErrChallenge
		}
	}
	return ErrContended
}
