// Package session keeps a web application's sessions encrypted: in cookies that only the
// application can read, or on a server. It is a store for gorilla/sessions. Package
// buffalosession connects it to Buffalo.
//
//	secrets, err := session.ParseSecrets(os.Getenv("SESSION_SECRET")) // see NewSecret
//	store, err := session.New(secrets, session.Options{})
//	http.ListenAndServe(addr, store.Handler(http.HandlerFunc(hello), nil))
//
//	func hello(w http.ResponseWriter, r *http.Request) {
//		s, err := store.Get(r, "_app_session")
//		s.Values["name"] = "Superman" // saved with the first byte of the response
//	}
//
// # Promises
//
// The tests carry these numbers. All promises hold behind Handler; without it, a session is
// saved only when Save is called.
//
//  1. A visitor who stored nothing gets no cookie and leaves no record.
//  2. A response whose session did not change sets no cookie. The exception is a session that is
//     kept in a cookie: its cookie is set again to extend the idle timeout once half of it has
//     passed, and after the secrets or the timeouts were changed.
//  3. A response sets the session's cookie at most once, however the program gets, makes and
//     saves its sessions (RFC 6265, section 4.1.1). Two Stores need different cookie names.
//  4. An emptied session removes the cookie, with the attributes it was set with. An application
//     that changes a session's gorilla Options must do so in every request. A session that somebody
//     has signed in to does not count as empty, even if it has no values: SignOut ends it.
//  5. A cookie that was tampered with, sealed under an unknown secret or for another name,
//     expired or foreign is an empty session: no error, no panic, and none of it in a log.
//  6. The newest secret seals and every listed one opens. What an older one sealed is sealed
//     again in the next response.
//  7. Sealing is authenticated encryption that stays safe with random nonces.
//  8. The idle timeout and the absolute lifetime are sealed with the session and enforced by
//     the server. The lifetime counts from the start of the session or the last SignIn. Renew
//     does not restart it, so nobody can keep a copied cookie alive forever.
//  9. Values keep their Go types: string, []byte, bool, all ints, uints and floats, time.Time,
//     types passed to Register, and slices and string-keyed maps of these, of each other and of
//     any. For any other type, Save returns a *TypeError, and nothing is written.
//  10. For a cookie of more than MaxCookie bytes, Save returns a *TooLargeError, and the browser keeps
//     the session it had. If the session fits without Buffalo's flash, the flash is dropped instead.
//  11. A session keeps one ID for its whole life, and the ID is known before the first save. In a
//     backend it also has one token, which Renew replaces. Once the backend has acknowledged
//     Renew, no other token opens the session, in any process. Once it has acknowledged Destroy
//     or Revoke, no token does. A session never becomes two.
//  12. While the backend cannot be reached, the answer is 503 with Retry-After, and no cookie is
//     touched.
//  13. In a backend, every acknowledged change of overlapping requests is kept. Changes are merged
//     key by key; for the same key the later commit wins. A request whose token was replaced
//     before it could save can only end the session; otherwise it changes nothing and touches no cookie. A
//     change is then answered with 409, so that it can be repeated.
//  14. A backend stores a hash of the token and sealed values: a stolen table opens no session.
//  15. A response that read a session says Vary: Cookie. If the request brought the session's
//     cookie, or the response sets it, no shared cache stores the response; an application's own
//     "private" or "no-store" is respected. Asking for a session after the first byte is an error.
//  16. A change is saved before the first byte, or the request fails visibly. A response of 500
//     and above, or one whose context's deadline has passed, saves nothing. A change after the
//     first byte cuts the connection; if the response was complete, only an event reports it.
//  17. A change inside a slice or a map is a change.
//  18. Every refused cookie gets the same answer, and base64 is decoded strictly.
//  19. SignIn renews the session and records its owner, sealed; a backend stores only a keyed hash
//     of the owner. Once RevokeOwner, RevokeOthers or RevokeOwned is acknowledged, the sessions
//     that it ends open in no process. RevokeOwner and RevokeOthers also end a session that has
//     not been saved yet, if its SignIn has returned.
//  20. With MaxPerOwner, no sign-in adds a session beyond the limit, however many overlap. All
//     processes need the same secrets and the same limit for that. With KeepOldest, sessions from
//     before the limit stay.
//  21. With Options.Revoked, once Renew, Destroy, Revoke, RevokeOwner or RevokeOthers is
//     acknowledged, copies of the cookies that it ended no longer open. An old copy cannot end the
//     visitor's session.
//  22. With Adopt, a visitor who has no session but a valid cookie of another system receives a session with
//     the same values, unless they cannot be stored, and the response removes the other cookie. A session
//     that exists is never overwritten. In a backend, requests that bring the same cookie share one
//     session, however many overlap. Once that session has been renewed or has ended, the cookie leads to
//     none. With Options.Revoked, it leads to none once the session has been renewed, destroyed or revoked.
//  23. With DeviceProof, once a session is bound to a device and Grace has passed, it opens only for requests with
//     a proof that is younger than DeviceProof. Without a proof, a request reads an empty session and leaves the
//     session's cookie alone. It can end the session, and SignIn begins a new one, but any other change is answered
//     with 409. A browser that cannot register a key keeps its session.
//  24. In a backend, a new session that nobody has signed in to ends after ReturnTimeout unless its cookie has come back.
//     No session is stored beyond what AllowNew allows, and none grows beyond MaxValues.
//
// # Cookie or server
//
// Without Options.Backend the cookie contains the session. Nothing needs to run besides the
// application, but the server remembers nothing: anyone who copies a cookie can use it until it
// expires, even after Renew or Destroy (OWASP ASVS 5.0, 7.4.1 asks for more). If two responses
// overlap, the later one wins with all of its values. A short IdleTimeout limits how long a copy
// works; new secrets end every session at once. With Options.Revoked a server remembers which sessions
// have ended, and only that, at the price of one or two round trips per page. It still cannot list the sessions. If
// responses overlap, the later one can bring back a cookie that the other one has ended; the visitor
// then has to sign in again.
//
// With a Backend the cookie contains a token and the backend keeps one sealed record per
// session. Saving replaces the record that was read with its successor, in one atomic step; if
// another request came first, saving merges the changes and tries again. Renew is such a step
// with a new token. Destroy and Revoke put an end mark in the record's place.
//
// The backend remembers for at least Options.Grace that a token was replaced, or that its session
// ended. During that time, a request with that token reads an empty session and cannot store anything.
// A GET drops changes that can wait, such as a flash or a CSRF token. Any other change is
// answered with 409. Signing out ends the session. After Grace, the token is treated like an
// unknown one. If the response to a renewal never reaches the browser, that browser has lost
// the session.
//
// # Owners
//
// SignIn says whose session it is, and SignOut ends it:
//
//	err := store.SignIn(r, s, user.ID, session.Note("Firefox on Linux"), session.KeepFor(30*24*time.Hour))
//
// With a Backend, Sessions lists an owner's sessions, and RevokeOwned ends one of them. RevokeOthers ends
// all but the visitor's own, for example after a change of the password. RevokeOwner ends all. Fresh and
// RequireSignIn ask for the password again before something dangerous. The backend keeps an index
// for that. It costs two round trips more to sign in, and one more to sign out, for each secret; a page
// costs nothing more.
//
// SignIn adds the session to the index when it is called, and the session must be saved within 30 seconds. Ending an
// owner's sessions puts an end mark in the place of each session in the index, also of one that is not saved yet, and then
// removes it from the index. The mark stays for a minute at least, and while it is there, the session cannot be saved. So a
// sign-in that overlaps always notices. If a process dies in between, the index may keep a stale
// entry, which Sessions drops once it is a minute old. The index never lacks a session.
//
// The index contains each session once for every secret in the list. So a process that does not have
// the newest secret yet finds the sessions, too.
//
// Without a Backend the server does not know the sessions: Sessions returns an empty list and
// ErrNoBackend.
//
// # Sessions of other systems
//
// When an application changes to this package, its visitors still have cookies of another system.
// Options.Adopt lists such systems, so that nobody is signed out. Packages adopt/flask and
// adopt/gorilla read the cookies of Flask and of gorilla/sessions, which stock Buffalo uses. A Store is
// also a Reader: another Store can adopt its sessions. The first response to such a visitor saves the
// session, even if the request changed nothing.
//
// The ID and the token of an adopted session are derived from the other cookie. With a Backend, all
// requests with that cookie therefore find the same record, in any process. The record, or the end mark in
// its place, stays until an hour after the other cookie has expired, even if the session ends earlier.
// While it is stored, the other cookie begins no second session.
//
// What a copy of the other cookie can do, while its source is listed:
//
//   - A system that keeps sessions in cookies sets another cookie with each change. Each of these cookies
//     leads to a session of its own, and ending one does not end the others.
//   - With a Backend, the copy leads to the visitor's session until that session ends or is renewed. SignIn
//     renews it. After that, the copy leads to nothing.
//   - In cookies, the copy begins another session with the old values, until the copy expires. With
//     Options.Revoked, it stops doing so once the session has been renewed, destroyed or revoked.
//   - RevokeOwner and RevokeOthers also apply to the owner's sessions that have not been adopted yet, if
//     Source.Owner tells whose they are, or the source is a Store. Otherwise they can only be ended all at
//     once, by removing the source.
//   - The other system still accepts the copy.
//
// So remove a source once its cookies have expired, and do not list a key that may have leaked. Remove the
// source before you call RevokeAll, move to another Backend, or drop a secret. After the first two, the
// Store no longer knows which cookies it has adopted. After the third, it may no longer know whose
// sessions were revoked.
//
// While both programs run, the new session needs another name, because the old program cannot read the new
// cookie. Send visitors who have the new cookie to the new program. If a visitor's first
// requests overlap, and one of them renews the session, another response may arrive later with the token
// from before. The visitor then has to sign in again.
//
// # Devices
//
// A stolen cookie is worth little if the browser must also prove, every few minutes, that it still has a key that
// cannot leave its device. With Options.DeviceProof and package devicebound, browsers that support DBSC (Device Bound
// Session Credentials, a draft of the W3C) do this automatically. In 2026 these are Chrome on Windows and macOS. The
// public key is sealed with the session, where the application cannot reach it. The proof is a second cookie, which
// expires after a few minutes. Package devicebound describes the rules, and what a copy of both cookies can do.
//
// A page costs one more decryption, and no round trip. On a server, a refresh of the proof costs a read and a write.
//
// # Durability
//
// Sessions are as durable as the backend. A database that loses acknowledged writes can bring
// back a session that had ended, and so can a row restored from a backup.
//
// # Security considerations
//
// Without a secret, nobody can read a cookie, change it, make one, or use a part of one
// elsewhere. A cookie's length tells roughly how much is in it. Nothing is compressed, so the
// length reveals no repetition (the attack called CRIME).
//
// Among 2⁸⁰ random nonces of 192 bits, two are equal with a probability of about 2⁻³³. Rotate
// secrets because people leave and backups leak, not because a key wears out. A secret must be
// one that nobody can guess; NewSecret makes one. HKDF does not strengthen a password.
//
// Another host of the same domain can plant a cookie in front of the visitor's own. A Store
// tries at most four cookies and uses the first that opens. A name that starts with "__Host-"
// rules out planted cookies (RFC 6265bis, section 4.1.3.2). SignIn makes a planted
// session useless.
//
// # Format
//
// The file docs/session.md of the repository describes the format byte for byte. It may change until the first
// release.
package session
