// Package session keeps a web application's sessions in cookies that nobody but
// the application can read, or on a server. It is a store for gorilla/sessions, and
// so for Buffalo, which signs its cookies and lets anyone read them.
//
//	store, err := session.New(secrets, session.Options{})
//	app := buffalo.New(buffalo.Options{SessionStore: store, SessionName: "_app_session"})
//	app.Middleware.Remove(buffalo.RequestLogger) // it gives every visitor a session
//	app.Use(session.Middleware)
//	http.ListenAndServe(addr, store.Handler(app))
//
// # What it promises
//
// The numbers are those of the tests. All of it holds behind Handler; without it, a
// session is saved when Save is called and not otherwise.
//
//  1. A visitor who stored nothing gets no cookie.
//  2. A response whose session did not change sets no cookie, save to push back
//     an idle timeout of which half has passed.
//  3. A response sets the session's cookie once at most, however often Save is
//     called (RFC 6265, section 4.1.1). The last one counts.
//  4. An emptied session removes the cookie, with the attributes it was set with.
//     (An application that changes a session's gorilla Options does so in each
//     request.)
//  5. A cookie that was tampered with, sealed under an unknown secret or for
//     another name, expired, or not ours at all is an empty session: no error, no
//     panic, nothing of it in a log.
//  6. The newest secret seals and every listed one opens. What an older one
//     sealed is sealed anew in the next response.
//  7. Sealing is authenticated encryption that stays safe with random nonces.
//  8. The idle timeout and the lifetime are inside what is sealed, and enforced
//     by the server.
//  9. Values keep their Go types: string, []byte, bool, the ints, uints and
//     floats, time.Time, and slices and string-keyed maps of these, of each other
//     and of any. Another type is a *TypeError of Save, and nothing is written.
//  10. A cookie of more than MaxCookie bytes is a *TooLargeError of Save, and the
//     browser keeps the session it had.
//  11. Renew gives the session a new identity and keeps its values; Destroy ends it.
//  12. While the server of the sessions cannot be reached, the answer is 503 with
//     Retry-After and no cookie is touched.
//  13. On a server, two requests at once never lose each other's change: what each
//     set or deleted is merged key by key; for the same key the later commit wins.
//  14. On a server lie a hash of the token and sealed values: a stolen table opens
//     no session.
//  15. A response that had a session to read is not stored by caches.
//  16. A change is saved however the response is written, or the
//     request fails. A response of 500 and above saves nothing.
//  17. A change inside a slice or a map is a change.
//  18. Every refused cookie is answered alike, and no second spelling of a valid
//     one passes.
//
// # The format
//
// The cookie's value is base64url (RFC 4648, section 5) without padding, decoded
// strictly. Decoded, it is
//
//	1 byte    the version of the format, 1
//	24 bytes  the nonce, random
//	n bytes   the sealed text
//	16 bytes  its authentication tag
//
// The cipher is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). The additional
// data are the version's byte and the cookie's name, so that a cookie is good for
// no other name and no other version. Each secret gives one key of 32 bytes:
// HKDF-SHA-256 (RFC 5869) of the secret, without salt, with the info "session v1
// XChaCha20-Poly1305". The text is
//
//	varint    when the session was created, Unix time in seconds
//	varint    how many seconds later it was last used
//	values    see below
//
// A varint is that of encoding/binary, unsigned. The values follow one another in
// the order of their keys, each as
//
//	key       varint length, bytes
//	type      1 byte tag; 18 (slice) and 19 (map) are followed by their element's type
//	body      as the type has it
//
// The tags and their bodies are: 1 string (varint length, bytes), 2 []byte, 3 bool
// (1 byte), 4 to 8 int, int8, int16, int32, int64 (zigzag varint), 9 to 13 uint,
// uint8, uint16, uint32, uint64 (varint), 14 float32 and 15 float64 (IEEE 754, big
// endian), 16 time.Time (as a string of its MarshalBinary), 17 any (a type and a
// body; only as an element), 18 slice and 19 map. A []byte, a slice and a map
// start with a varint one more than their length, 0 being nil; a map's entries
// are in the order of their keys, each a key and a body.
//
// What was sealed in this format stays readable in later versions of the package.
//
// # On a server
//
// With Options.Backend the cookie's value is a token instead: 32 random bytes in the
// same base64url. The record lies under the SHA-256 of the token. It holds what the
// cookie would hold before base64; its additional data are those of the cookie, a
// NUL, a byte (1 for a session, 2 for the forward that a renewed session leaves for a
// minute) and the token's hash, so that a record is good for no other place.
//
// With Options.FromCookies there are records under the SHA-256 of a cookie's value, too:
// the byte is 3, and what is sealed is the token of the session that was taken over.
//
// The forward lets a request that had read a session before another renewed it still
// save its change there. It is told no token: it may come from someone with a copy of
// the old cookie (fixation), and if it renews the session too, it gets one of its own.
// A request that takes longer than the minute finds the session ended. A change to a
// session that was ended meanwhile is ErrEnded, and the session does not come back.
//
// Each step is tried once more if its answer is lost. If the answer to the last step of
// a renewal is lost twice, the visitor is answered 503 and may have to sign in again:
// the old cookie is dead and the new one never arrived.
//
// # What it protects against, and what not
//
// Who has cookies and no secret cannot read them, change them, make them or use a
// part of one elsewhere. They see a cookie's length, and with it roughly how much
// is in it: nothing is compressed, so a length does not tell what was typed beside
// what (the attack called CRIME). They see that two cookies differ, not in what.
//
// By the birthday bound, 2⁸⁰ random nonces of 192 bits under one key hold two that
// are alike with a probability of about 2⁻³³; a server that seals a million cookies
// a second needs 38 billion years for so many. Each message is at most 3 KB, far
// from the cipher's own limit of 256 GB (RFC 8439, section 2.8). Rotate secrets
// because people leave and backups leak, not because a key wears out.
//
// A secret must be one that nobody guesses: NewSecret makes one. HKDF spreads what
// is unpredictable in a secret and adds nothing to a password.
//
// Who copies a cookie can use the copy until it expires, also after the visitor
// has signed out or the application has called Destroy or Renew: the server
// remembers no cookie, so it can take none back. This is what every session in a
// cookie has in common (OWASP ASVS 5.0, 7.4.1); a short IdleTimeout makes the time
// short, new secrets end every session at once, and sessions on a server end it.
// For the same reason the later of two responses that overlap wins, with all of
// its values.
//
// Of the first four cookies of the session's name the first that opens is taken. Another
// host of the same domain can plant a cookie of its own in front; a name that
// starts with "__Host-" rules that out (RFC 6265bis, section 4.1.3.2).
package session
