package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"heroes/session/internal/values"
)

// A session is bound to a device as follows. A response that saves an unbound session offers registration.
// The browser makes a key and registers it with package devicebound. Soon afterwards it shows the key for the
// first time, and receives a cookie: the proof. The first request with a proof binds the session to its key.
// A registration alone binds nothing, because the browser may not have received the answer. From then on, the session
// opens only with a proof that is younger than Options.DeviceProof. When the proof is about to expire, the
// browser shows the key again.

// DevicePath is the path below which package devicebound serves browsers.
const DevicePath = "/dbsc/"

// challengeTime is how long a challenge can be answered. One that comes with a proof can be answered for this long
// after the proof has expired. For this long after it was offered registration, a session is not offered it again.
const challengeTime = 5 * time.Minute

// firstShow is how long the cookie of a registration lasts at most. Then the browser shows its key.
const firstShow = 30 * time.Second

// ErrUnproven reports that the session is bound to a device, and that the request does not prove that it comes
// from there. Nothing was saved, and the session's cookie was left alone. The answer is 409. The browser can
// repeat the request after it has shown the key. SignIn begins another session, and Destroy ends this one.
var ErrUnproven = errors.New("session: the request does not prove that it comes from the device that the session is bound to, so nothing was saved: repeat the request, or sign in again")

// ErrChallenge reports that a challenge was not made for this session, is too old, or was answered before.
var ErrChallenge = errors.New("session: the challenge is not valid any more: answer a new one")

// A device is what a session knows of the device that it is bound to.
type device struct {
	key    string        // public; "" if the session is not bound
	wait   time.Duration // bound: until requests need a proof; unbound: until registration can be offered again
	proofs uint64        // how often the browser has shown the key since it was registered; on a server only

	offer bool // this write offers registration; not sealed
}

// withDevice returns c bound to the key that the request has shown, if it was not bound before.
func (v *visit) withDevice(c content) content {
	switch o := v.store.options; {
	case o.DeviceProof == 0:
		c.device = device{}
	case c.key == "" && v.proof.id == c.id:
		c.key, c.wait = v.proof.key, o.Grace
	}
	return c
}

// considerOffer decides whether saving h offers registration. It does not if h is only to show a flash.
func (v *visit) considerOffer(h *held) {
	lasting := h.owner != "" || changeOf("", h.values) == changed
	if v.store.options.DeviceProof > 0 && h.key == "" && h.wait <= 0 && lasting && v.session.Options.Domain == "" {
		h.wait, h.offer = challengeTime, true
	}
}

// rebinds reports whether the session needs to be saved because it is not bound as it should be.
func (v *visit) rebinds() bool {
	if v.store.options.DeviceProof == 0 {
		return v.held.key != ""
	}
	return v.held.key == "" && v.proof.id == v.held.id
}

// proves reports whether the request may use the session now, as far as the device is concerned.
func (v *visit) proves(h held) bool {
	if v.store.options.DeviceProof == 0 || h.key == "" {
		return true
	}
	p := v.proof
	return p.id == h.id && p.key == h.key && time.Now().Before(p.until) || h.after(time.Since(h.at)).wait > 0
}

// A proof says that the request comes from the device with that key, and that the browser has registered the key for the
// session with that ID. It is zero if there is none.
type proof struct {
	id    ID
	key   string
	until time.Time
}

// readProof notes what the request proves about h. If h is not bound, any key that was registered for it counts.
func (v *visit) readProof(r *http.Request, h held) {
	s, name := v.store, v.session.Name()
	if s.options.DeviceProof == 0 {
		return
	}
	prefix := proofName(name, h.id, h.key)
	for _, c := range r.Cookies() {
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

// unproven returns why a request without a proof was refused: what the browser says (Secure-Session-Skipped in
// the draft of DBSC) or, if it says nothing, Unproven.
func unproven(r *http.Request) Reason {
	said, _, _ := strings.Cut(r.Header.Get("Secure-Session-Skipped"), ";")
	switch reason := Reason(said); reason {
	case SkippedQuota, SkippedUnreachable, SkippedError:
		return reason
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

// removeProof removes the proof of a session that has ended, so that the browser notices.
func (v *visit) removeProof(header http.Header) {
	if p := v.proof; p.key != "" {
		header.Add("Set-Cookie", proofCookie(v.session.Name(), p.id, p.key, "", -1).String())
	}
}

// proofName returns the name of the cookie with the proof of a key, or for no key what all such names begin with. Its
// prefix keeps other hosts from setting it. It contains a part of the ID and of the key's hash: a browser may have
// registered several keys, also for earlier sessions, and none of them must replace another's proof.
func proofName(name string, id ID, key string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "__Host-"), "__Secure-")
	name = "__Host-" + name + "_proof_" + id.String()[:8] + "_"
	if key == "" {
		return name
	}
	hash := sha256.Sum256([]byte(key))
	return name + hex.EncodeToString(hash[:4])
}

// proofCookie returns the cookie with a proof. If the visitor comes by a link from another site, the browser
// accepts it only with SameSite=None, and asks for it without the session's cookie. Alone it is of no use.
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

// sealTimed seals a text for the session with that ID, with the time.
func (s *Store) sealTimed(kind byte, name string, id ID, text string) string {
	plain := append(binary.AppendUvarint(nil, uint64(time.Now().UnixMilli())), text...)
	return encodeText(s.keys.seal(plain, purpose(kind, name, id[:])))
}

// openTimed returns what sealTimed has sealed, and how long ago: forever if it does not open.
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

// DeviceBound reports whether Options.DeviceProof is set.
func (s *Store) DeviceBound() bool { return s.options.DeviceProof > 0 }

// A Binding is what ties a session to a device. It is for package devicebound; applications do not need it.
type Binding struct {
	ctx   context.Context
	store *Store
	name  string
	held  held   // the session; zero if there is none
	key   string // "" if it is not bound, and no key was registered for it
	live  bool   // the request's cookie opens the session
}

// Binding returns the binding of the session with a cookie of that name: that of the request, or the one that an
// Identifier names. The error is ErrUnavailable, also if it is not certain whether the session has ended: a
// browser that is told so drops its key for good.
func (s *Store) Binding(r *http.Request, name, identifier string) (*Binding, error) {
	b := &Binding{ctx: r.Context(), store: s, name: name}
	if identifier != "" {
		id, key := parseIdentifier(identifier)
		if key == "" {
			return b, nil
		}
		h, err := s.boundSession(r, name, id)
		if err != nil {
			b.emit(Event{Kind: Unreachable, Err: err})
		} else if h.id == id && (h.key == "" || h.key == key) {
			b.held, b.key = h, key
		}
		return b, err
	}
	x := Of(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.showing = true
	v, err := x.visit(s, r, name)
	if err == nil {
		b.held, b.key, b.live, err = v.held, v.held.key, v.brought == broughtLive, v.err
	}
	return b, err
}

// boundSession returns the session with that ID, or the zero held if it has ended.
func (s *Store) boundSession(r *http.Request, name string, id ID) (held, error) {
	if s.options.Backend == nil {
		return s.boundCookie(r, name, id)
	}
	h, reason, err := s.read(r.Context(), name, id)
	switch {
	case err != nil:
		return held{}, err
	case reason == Refused && h.record != nil && !h.over: // sealed under a secret that this process does not have
		return held{}, ErrUnavailable
	case reason != "":
		return held{}, nil
	}
	return h, nil
}

// boundCookie returns the session with that ID if one of the request's cookies contains it. A browser sends none if it
// shows its key because of a link on another site, or after the visitor has signed out. Then the session
// counts as existing. If the browser has another session instead, it has ended.
func (s *Store) boundCookie(r *http.Request, name string, id ID) (held, error) {
	if s.options.Revoked != nil {
		if t, _, record, err := s.loadStamp(r.Context(), id); err != nil || record != nil && t.mark == ended {
			return held{}, err
		}
	}
	if !sent(r, name) {
		return held{content: content{id: id}}, nil
	}
	another := false
	cookies := r.CookiesNamed(name)
	for _, c := range cookies[:min(len(cookies), maxCookies)] {
		h, reason, err := s.keeper.load(r.Context(), name, c.Value)
		switch {
		case err != nil:
			return held{}, err
		case h.id == id && !h.over: // RevokeOthers may be in progress, so it may not be over
			return h, nil
		case reason == "":
			another = true
		}
	}
	if another {
		return held{}, nil
	}
	return held{}, ErrUnavailable
}

// ID returns the session's ID, as in Info, or "" if there is no session.
func (b *Binding) ID() string {
	if b.held.id == (ID{}) {
		return ""
	}
	return b.held.id.String()
}

// Key returns the key that the session is bound to, as it was passed to Prove, or that is registered for it. It
// returns "" if there is none.
func (b *Binding) Key() string { return b.key }

// Identifier returns the name under which a browser knows the session and the key that it has registered for it. It
// opens nothing. It is not sealed, so that it outlives every secret: whoever makes one with a key of his own
// receives a proof for that key, with which a session that is bound to another does not open.
func (b *Binding) Identifier(key string) string {
	return b.held.id.String() + "." + encodeText([]byte(key))
}

// maxKey is the longest key that an identifier can have, in bytes.
const maxKey = 64

// parseIdentifier reads what Identifier returns. The key is "" if it is not one.
func parseIdentifier(text string) (id ID, key string) {
	head, tail, _ := strings.Cut(text, ".")
	id, err1 := parseID(head)
	decoded, err2 := decodeText(tail)
	if err1 != nil || err2 != nil || len(decoded) > maxKey {
		return ID{}, ""
	}
	return id, string(decoded)
}

// Challenge returns a challenge that a browser can answer once, within Options.DeviceProof and five minutes, to show the
// key again. For sessions in cookies it can do so more than once. Called after Prove, it returns the one to answer
// when that proof expires.
func (b *Binding) Challenge() string {
	return b.store.sealTimed(kindChallenge, b.name, b.held.id, string(binary.AppendUvarint(nil, b.held.proofs)))
}

// Cookie returns the cookie with the proof of that key, without its value.
func (b *Binding) Cookie(key string) *http.Cookie { return proofCookie(b.name, b.held.id, key, "", 0) }

// Register notes that the browser has made that key, and signed with it the challenge with which registration was
// offered. The browser shows the key soon afterwards. The error is ErrChallenge.
func (b *Binding) Register(header http.Header, challenge, key string) error {
	_, age := b.store.openTimed(kindOffer, b.name, b.held.id, challenge)
	if age >= challengeTime || !b.live {
		return ErrChallenge
	}
	b.setProof(header, key, "registered", firstShow)
	return nil
}

// Prove sets the cookie with the proof, after the browser has signed a Challenge with the Key. The errors are
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
			return err
		}
		b.held.proofs++
	}
	b.setProof(header, b.key, s.sealTimed(kindProof, b.name, b.held.id, b.key), s.options.DeviceProof)
	b.emit(Event{Kind: Proven})
	return nil
}

// setProof sets the cookie of a key. What the browser sends at the last moment still arrives in time.
func (b *Binding) setProof(header http.Header, key, value string, lasts time.Duration) {
	lasts = min(lasts, b.store.options.DeviceProof)
	lasts -= min(lasts/16, 10*time.Second)
	header.Add("Set-Cookie", proofCookie(b.name, b.held.id, key, value, max(1, int(lasts/time.Second))).String())
}

// Refuse reports why the browser was refused.
func (b *Binding) Refuse(reason Reason) { b.emit(Event{Kind: NotProven, Reason: reason}) }

func (b *Binding) emit(e Event) {
	e.Name, e.ID = b.name, b.ID()
	b.store.options.OnEvent(b.ctx, e)
}

// countProof notes in the session's record that the browser has shown the key, so that the challenge cannot be
// answered again. The error is ErrChallenge if another request came first.
func (s *Store) countProof(ctx context.Context, name string, h held) error {
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
