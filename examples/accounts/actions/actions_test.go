package actions

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/boltstore"
	"heroes/session/buffalosession"

	"accounts/models"
)

const (
	ann      = "ann@example.com"
	bob      = "bob@example.com"
	password = "correct horse"
	firefox  = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// A site is the application as it runs in development, with its files in a folder of the test's own.
type site struct {
	*testing.T
	url      string
	accounts *models.Accounts
	backend  *boltstore.Backend
	log      lockedBuffer
	stop     func()
}

func open(t *testing.T) *site {
	t.Chdir(t.TempDir()) // tmp/session_secret is in there, too
	s := &site{T: t}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// start opens the files and serves. After stop, it does so again, with what the files have.
func (s *site) start() {
	s.Helper()
	var err error
	s.accounts, err = models.Open(filepath.Join("tmp", "accounts.db"), models.Cost{Passes: 1, Memory: 64})
	s.ok(err)
	s.backend, err = boltstore.Open(filepath.Join("tmp", "sessions.db"))
	s.ok(err)
	app, err := New("development", s.accounts, s.backend)
	s.ok(err)
	app.Logger.(interface{ SetOutput(io.Writer) }).SetOutput(&s.log)
	server := httptest.NewServer(Guard(app))
	s.url = server.URL
	s.stop = func() {
		server.Close()
		_ = app.Stop(nil)
		s.backend.Close()
		s.accounts.Close()
	}
}

func (s *site) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// lockedBuffer is a log that the server writes and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A browser keeps cookies and follows no redirect.
type browserOf struct {
	*site
	jar   http.CookieJar
	agent string
}

func (s *site) browser(agent string) *browserOf {
	jar, _ := cookiejar.New(nil)
	return &browserOf{s, jar, agent}
}

// A page is an answer that was read.
type page struct {
	*http.Response
	body string
}

func (b *browserOf) get(path string) page { return b.ask("GET", path, nil) }

// post sends a form of pairs of names and values.
func (b *browserOf) post(path string, pairs ...string) page {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.ask("POST", path, form)
}

func (b *browserOf) ask(method, path string, form url.Values, headers ...string) page {
	b.Helper()
	r, err := http.NewRequest(method, b.url+path, strings.NewReader(form.Encode()))
	b.ok(err)
	r.Header.Set("User-Agent", b.agent)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Referer", b.url+path)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Jar: b.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	b.ok(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	b.ok(err)
	return page{res, string(body)}
}

// signUp returns a browser that has signed up.
func (s *site) signUp(email string) *browserOf {
	s.Helper()
	b := s.browser(firefox)
	b.leads(b.post("/sign-up", "email", email, "password", password), "/")
	return b
}

// signIn returns a browser that has signed in.
func (s *site) signIn(email, password string, more ...string) *browserOf {
	s.Helper()
	b := s.browser(safari)
	b.leads(b.post("/sign-in", append([]string{"email", email, "password", password}, more...)...), "/")
	return b
}

// leads checks that an answer redirects to a path.
func (s *site) leads(p page, path string) {
	s.Helper()
	if p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != path {
		s.Fatalf("answered %d to %q, not 303 to %q", p.StatusCode, p.Header.Get("Location"), path)
	}
}

// shows checks that an answer has that status and each of the texts.
func (s *site) shows(p page, status int, texts ...string) {
	s.Helper()
	if p.StatusCode != status {
		s.Fatalf("answered %d, not %d", p.StatusCode, status)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			s.Fatalf("no %q in %s", text, p.body)
		}
	}
}

// signedIn checks whether the browser is signed in.
func (b *browserOf) signedIn(want bool) {
	b.Helper()
	if p := b.get("/devices"); (p.StatusCode == http.StatusOK) != want {
		b.Fatalf("signed in: %t, not %t: %d to %s", !want, want, p.StatusCode, p.Header.Get("Location"))
	}
}

// others returns the IDs of the devices that the browser can sign out.
func (b *browserOf) others() (ids []string) {
	b.Helper()
	for _, match := range regexp.MustCompile(`name="id" value="(\w+)"`).FindAllStringSubmatch(b.get("/devices").body, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// cookie returns the session's cookie, or "".
func (b *browserOf) cookie() string {
	address, _ := url.Parse(b.url)
	for _, c := range b.jar.Cookies(address) {
		return c.Value
	}
	return ""
}

// becomesStale has each sign-in be stale at once.
func becomesStale(t *testing.T) {
	before := fresh
	fresh = time.Nanosecond
	t.Cleanup(func() { fresh = before })
}

func Test_an_account_is_its_owners_until_sign_out(t *testing.T) {
	s := open(t)
	b := s.signUp("  Ann@Example.COM ")
	s.shows(b.get("/"), 200, "Your account is ready", ann)
	s.leads(b.post("/sign-out"), "/")
	b.signedIn(false)
	s.shows(b.get("/"), 200, "You are not signed in")
	s.signIn(" ANN@example.com", password).signedIn(true)
}

func Test_a_visitor_without_an_account_has_no_cookie(t *testing.T) {
	s := open(t)
	b := s.browser(firefox)
	for _, path := range []string{"/", "/sign-in", "/sign-up", "/devices", "/account/password", "/nowhere"} {
		if p := b.get(path); len(p.Cookies()) != 0 {
			t.Errorf("%s sets %v", path, p.Cookies())
		}
	}
}

func Test_an_unusable_address_or_password_is_explained_at_its_field(t *testing.T) {
	s := open(t)
	s.signUp(ann)
	for _, row := range []struct{ email, password, field, problem string }{
		{"", password, "email", "Enter an email address"},
		{"ann", password, "email", "Enter an email address"},
		{"Ann <ann@example.com>", password, "email", "Enter an email address"},
		{strings.Repeat("a", 243) + "@example.com", password, "email", "more than 254 bytes"},
		{ann, password, "email", "There is an account with this address"},
		{bob, "1234567", "password", "at least 8"},
		{bob, "ÄÖÜäöü7", "password", "at least 8"},
		{bob, strings.Repeat("a", 129), "password", "at most 128"},
	} {
		b := s.browser(firefox)
		p := b.post("/sign-up", "email", row.email, "password", row.password)
		s.shows(p, 422, "<title>Error: Sign up", row.problem, `aria-describedby="`+row.field+`-note" aria-invalid="true"`)
		if strings.Count(p.body, "aria-invalid") != 1 || strings.Contains(p.body, `value="`+row.password) {
			t.Errorf("one field is marked, and no password is sent back: %s", p.body)
		}
	}
	s.browser(firefox).leads(s.browser(firefox).post("/sign-up", "email", bob, "password", "        "), "/") // no rules but its length
}

func Test_an_unknown_address_and_a_wrong_password_get_the_same_answer(t *testing.T) {
	s := open(t)
	s.signUp(ann)
	wrong := s.browser(firefox).post("/sign-in", "email", ann, "password", "wrong horse")
	unknown := s.browser(firefox).post("/sign-in", "email", bob, "password", "wrong horse")
	s.shows(wrong, 422, "The email address or the password is wrong.", `aria-describedby="password-note" aria-invalid="true"`)
	if got := strings.ReplaceAll(unknown.body, bob, ann); got != wrong.body || unknown.StatusCode != wrong.StatusCode {
		t.Errorf("%d %s\nnot %d %s", unknown.StatusCode, got, wrong.StatusCode, wrong.body)
	}
}

func Test_a_sign_in_lasts_until_the_browser_closes_or_if_it_says_so_for_30_days(t *testing.T) {
	s := open(t)
	s.signUp(ann)
	for _, row := range []struct {
		more   []string
		maxAge int
	}{{nil, 0}, {[]string{"remember", "yes"}, 30 * 24 * 3600}} {
		p := s.browser(firefox).post("/sign-in", append([]string{"email", ann, "password", password}, row.more...)...)
		if c := p.Cookies()[0]; c.MaxAge != row.maxAge || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("%v: %s", row.more, c)
		}
	}
}

func Test_a_sign_in_replaces_the_cookie_and_keeps_the_theme(t *testing.T) {
	s := open(t)
	s.signUp(ann)
	b := s.browser(firefox)
	s.leads(b.post("/theme", "theme", "dark"), "/")
	before := b.cookie()
	s.leads(b.post("/sign-in", "email", ann, "password", password), "/")
	s.shows(b.get("/"), 200, `data-theme="dark"`)
	if b.cookie() == before {
		t.Error("the cookie from before the sign-in is still the session's")
	}
	s.leads(b.post("/theme", "theme", "no such theme"), "/")
	s.shows(b.get("/"), 200, `data-theme=""`)
}

func Test_an_address_that_leads_elsewhere_is_not_followed(t *testing.T) {
	s := open(t)
	s.signUp(ann)
	for _, to := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "evil.example", "javascript:alert(1)", ""} {
		s.leads(s.browser(firefox).post("/sign-in", "email", ann, "password", password, "return_to", to), "/")
	}
	b := s.browser(firefox)
	s.leads(b.get("/account/password?a=b"), "/sign-in?return_to="+url.QueryEscape("/account/password?a=b"))
	s.leads(b.post("/sign-in", "email", ann, "password", password, "return_to", "/account/password?a=b"), "/account/password?a=b")
}

func Test_a_device_ends_another_which_is_out_at_its_next_request(t *testing.T) {
	s := open(t)
	first := s.signUp(ann)
	second := s.signIn(ann, password)
	s.shows(first.get("/devices"), 200, "Firefox on Linux <span", "Safari on iPhone</h2>")
	if n := strings.Count(first.get("/devices").body, "this device"); n != 1 {
		t.Errorf("%d devices are this one", n)
	}
	ids := first.others()
	s.leads(first.post("/account/devices/end", "id", ids[0]), "/devices")
	s.shows(first.get("/devices"), 200, "That device has been signed out.")
	second.signedIn(false)
	first.signedIn(true)
	s.leads(first.post("/account/devices/end", "id", ids[0]), "/devices")
	s.shows(first.get("/devices"), 200, "was not signed in")
}

func Test_a_device_that_ends_itself_is_signed_out(t *testing.T) {
	s := open(t)
	first := s.signUp(ann)
	second := s.signIn(ann, password)
	s.leads(first.post("/account/devices/end", "id", second.others()[0]), "/devices")
	first.signedIn(false)
	second.signedIn(true)
}

func Test_nobody_ends_a_session_of_another_account(t *testing.T) {
	s := open(t)
	hers := s.signUp(ann)
	his, his2 := s.signUp(bob), s.signIn(bob, password)
	for _, id := range append(his.others(), his2.others()...) {
		s.leads(hers.post("/account/devices/end", "id", id), "/devices")
		s.shows(hers.get("/devices"), 200, "Nothing was changed.")
	}
	s.leads(hers.post("/account/devices/end", "id", "nonsense"), "/devices")
	s.leads(hers.post("/account/devices/end-others"), "/devices")
	s.shows(hers.get("/devices"), 200, "Other devices signed out: 0.")
	his.signedIn(true)
	his2.signedIn(true)
}

func Test_all_other_devices_are_ended_at_once(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	others := []*browserOf{s.signIn(ann, password), s.signIn(ann, password, "remember", "yes")}
	s.leads(b.post("/account/devices/end-others"), "/devices")
	s.shows(b.get("/devices"), 200, "Other devices signed out: 2.")
	for _, other := range others {
		other.signedIn(false)
	}
	b.signedIn(true)
}

func Test_a_stale_sign_in_has_to_be_confirmed_and_leads_back(t *testing.T) {
	becomesStale(t)
	s := open(t)
	b := s.signUp(ann)
	b.signedIn(true)
	for _, path := range []string{"/account/password", "/account/delete"} {
		s.leads(b.get(path), "/sign-in?return_to="+url.QueryEscape(path))
		s.leads(b.post(path, "password", "other horse"), "/sign-in?return_to="+url.QueryEscape(path)) // the page of the form
	}
	s.leads(b.ask("POST", "/account/devices/end", url.Values{"id": {"x"}}, "Referer", s.url+"/devices"), "/sign-in?return_to=%2Fdevices")
	p := b.get("/sign-in?return_to=/account/password")
	s.shows(p, 200, "<title>Confirm that it is you", ann, `name="return_to" value="/account/password"`, `action="/sign-out"`)
	if strings.Contains(p.body, `type="email"`) {
		t.Error("the page asks for an address that it knows")
	}
	before := b.cookie()
	s.shows(b.post("/sign-in", "email", ann, "password", "wrong horse"), 422, "Confirm that it is you", "password is wrong")
	s.leads(b.post("/sign-in", "email", ann, "password", password, "return_to", "/account/password"), "/account/password")
	if b.cookie() == before {
		t.Error("the cookie was not replaced")
	}
	if n := len(b.others()); n != 0 {
		t.Errorf("confirming began another session: %d others", n)
	}
	_, err := s.accounts.Authenticate(ann, password)
	s.ok(err)
}

func Test_a_remembered_sign_in_stays_remembered_when_it_is_confirmed(t *testing.T) {
	s := open(t)
	s.signUp(ann)
	for maxAge, b := range map[int]*browserOf{30 * 24 * 3600: s.signIn(ann, password, "remember", "yes"), 0: s.signIn(ann, password)} {
		p := b.post("/sign-in", "email", ann, "password", password)
		if got := p.Cookies()[0].MaxAge; got < maxAge-5 || got > maxAge {
			t.Errorf("Max-Age is %d, not %d", got, maxAge)
		}
	}
}

func Test_a_new_password_ends_all_other_sessions_and_renews_this_one(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	other := s.signIn(ann, password, "remember", "yes")
	copied := s.browser(firefox)
	address, _ := url.Parse(s.url)
	copied.jar.SetCookies(address, b.jar.Cookies(address))
	copied.signedIn(true)

	s.shows(b.get("/account/password"), 200, `autocomplete="new-password"`)
	s.shows(b.post("/account/password", "password", "short"), 422, "at least 8", `autofocus`)
	other.signedIn(true)
	s.leads(b.post("/account/password", "password", "other horse"), "/")
	s.shows(b.get("/"), 200, "Your password has been changed. Other devices signed out: 1.")
	b.signedIn(true)
	other.signedIn(false)
	copied.signedIn(false)
	s.shows(s.browser(firefox).post("/sign-in", "email", ann, "password", password), 422)
	s.signIn(ann, "other horse").signedIn(true)
}

func Test_no_session_that_the_old_password_has_opened_outlives_a_change_of_it(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	old := password
	for round := range 8 {
		next := fmt.Sprintf("horse number %d", round)
		late := make([]*browserOf, 20)
		var wait sync.WaitGroup
		for i := range late {
			late[i] = s.browser(safari)
			wait.Go(func() {
				time.Sleep(time.Duration(i%10) * time.Millisecond / 2)
				late[i].post("/sign-in", "email", ann, "password", old)
			})
		}
		time.Sleep(time.Millisecond * time.Duration(round%4))
		s.leads(b.post("/account/password", "password", next), "/")
		wait.Wait()
		for _, other := range late {
			other.signedIn(false)
		}
		b.signedIn(true)
		if n := len(b.others()); n != 0 {
			t.Fatalf("round %d: %d others are signed in", round, n)
		}
		old = next
	}
}

func Test_no_session_outlives_its_account(t *testing.T) {
	s := open(t)
	b, other, bobs := s.signUp(ann), s.signIn(ann, password), s.signUp(bob)
	s.shows(b.get("/account/delete"), 200, ann)
	late := make([]*browserOf, 20)
	var wait sync.WaitGroup
	for i := range late {
		late[i] = s.browser(safari)
		wait.Go(func() { late[i].post("/sign-in", "email", ann, "password", password) })
	}
	account, err := s.accounts.Authenticate(ann, password)
	s.ok(err)
	s.leads(b.post("/account/delete"), "/")
	wait.Wait()
	store, err := buffalosession.NewStore("development", session.Options{Backend: s.backend}) // of the same secret
	s.ok(err)
	left, err := store.Sessions(t.Context(), cookieName("development"), account.ID)
	if err != nil || len(left) != 0 {
		t.Errorf("%d sessions are left: %v", len(left), err)
	}
	s.shows(b.get("/"), 200, "Your account has been deleted.", "You are not signed in")
	for _, browser := range append(late, b, other) {
		browser.signedIn(false)
	}
	bobs.signedIn(true)
	s.shows(s.browser(firefox).post("/sign-in", "email", ann, "password", password), 422)

	again := s.signUp(ann) // with the same address
	again.signedIn(true)
	other.signedIn(false)
}

func Test_a_session_whose_account_is_gone_is_signed_out(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	account, err := s.accounts.Authenticate(ann, password)
	s.ok(err)
	s.ok(s.accounts.Delete(account.ID))
	s.leads(b.get("/"), "/sign-in")
	if b.cookie() != "" {
		t.Error("the cookie is still there")
	}
}

func Test_another_account_in_the_same_browser_begins_a_new_session(t *testing.T) {
	s := open(t)
	s.signUp(bob)
	b := s.signUp(ann)
	s.leads(b.post("/theme", "theme", "dark"), "/")
	s.leads(b.post("/sign-in", "email", bob, "password", password), "/")
	s.shows(b.get("/"), 200, bob, `data-theme=""`)
}

func Test_a_form_of_another_site_is_refused(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	for _, path := range []string{"/sign-in", "/sign-up", "/sign-out", "/theme", "/account/devices/end-others", "/account/password", "/account/delete"} {
		s.shows(b.ask("POST", path, url.Values{}, "Sec-Fetch-Site", "cross-site"), 403)
		s.shows(b.ask("POST", path, url.Values{}, "Origin", "https://evil.example"), 403)
	}
	b.signedIn(true)
}

func Test_a_large_body_is_not_read(t *testing.T) {
	s := open(t)
	s.shows(s.browser(firefox).post("/sign-up", "more", strings.Repeat("a", 100<<10), "email", ann, "password", password), 422)
	if _, err := s.accounts.Authenticate(ann, password); err == nil {
		t.Error("an account was made")
	}
}

func Test_people_stay_signed_in_when_the_server_starts_again(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	cookie, before := b.cookie(), s.url
	s.stop()
	s.start()
	if s.url == before {
		t.Fatal("it is the same server")
	}
	address, _ := url.Parse(s.url)
	b.jar.SetCookies(address, []*http.Cookie{{Name: cookieName("development"), Value: cookie}})
	b.signedIn(true)
}

func Test_while_the_sessions_cannot_be_reached_the_answer_is_503_and_no_cookie_changes(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	s.backend.Close()
	for _, path := range []string{"/", "/devices", "/sign-in"} {
		p := b.get(path)
		s.shows(p, 503, "You do not need to sign in again")
		if len(p.Cookies()) != 0 || p.Header.Get("Retry-After") == "" {
			t.Error(p.Header)
		}
	}
}

func Test_no_log_has_an_address_or_a_password(t *testing.T) {
	s := open(t)
	b := s.signUp(ann)
	b.post("/sign-in", "email", ann, "password", "wrong horse")
	b.post("/account/password", "password", "other horse")
	b.post("/account/delete")
	s.stop()
	for _, secret := range []string{"ann@", "horse", b.cookie()} {
		if secret != "" && strings.Contains(s.log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, s.log.String())
		}
	}
	if !strings.Contains(s.log.String(), "/account/delete") {
		t.Errorf("the log is not the server's: %s", s.log.String())
	}
	s.start()
}

func Test_production_needs_a_secret_and_a_cookie_of_this_host(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := New("production", nil, nil); err == nil || !strings.Contains(err.Error(), "SESSION_SECRET") {
		t.Error(err)
	}
	for env, name := range map[string]string{"production": "__Host-accounts", "staging": "__Host-accounts", "development": "_accounts_session"} {
		if got := cookieName(env); got != name {
			t.Errorf("%s: %s", env, got)
		}
	}
}

func Test_a_browser_has_a_short_name(t *testing.T) {
	for agent, name := range map[string]string{
		firefox: "Firefox on Linux",
		safari:  "Safari on iPhone",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36":         "Chrome on macOS",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36":               "Chrome on Android",
		"curl/8.15.0":                   "A browser on an unknown system",
		"":                              "A browser on an unknown system",
		strings.Repeat("<evil>", 10000): "A browser on an unknown system",
	} {
		if got := browser(agent); got != name {
			t.Errorf("%s: %q, not %q", agent, got, name)
		}
	}
}
