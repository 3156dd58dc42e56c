package models

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const email, password = "ann@example.com", "correct horse"

func open(t *testing.T, cost Cost) *Accounts {
	accounts, err := Open(filepath.Join(t.TempDir(), "new", "accounts.db"), cost)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accounts.Close() })
	return accounts
}

func Test_only_the_right_address_and_password_find_an_account(t *testing.T) {
	accounts := open(t, Cost{1, 64})
	made, err := accounts.Create(email, password)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := accounts.Authenticate(email, password); err != nil || found.ID != made.ID {
		t.Error(found.ID, err)
	}
	for _, row := range [][2]string{{email, "wrong"}, {email, ""}, {"bob@example.com", password}, {"", ""}} {
		if found, err := accounts.Authenticate(row[0], row[1]); !errors.Is(err, ErrWrong) || found.ID != "" {
			t.Errorf("%v: %v, %v", row, found.ID, err)
		}
	}
}

func Test_an_address_has_one_account_whoever_comes_first(t *testing.T) {
	accounts := open(t, Cost{1, 64})
	var made, taken atomic.Int32
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			switch _, err := accounts.Create(email, password); {
			case err == nil:
				made.Add(1)
			case errors.Is(err, ErrTaken):
				taken.Add(1)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 || taken.Load() != 19 {
		t.Errorf("%d were made, and %d refused", made.Load(), taken.Load())
	}
}

func Test_a_deleted_account_is_gone_and_its_address_is_free(t *testing.T) {
	accounts := open(t, Cost{1, 64})
	made, _ := accounts.Create(email, password)
	if err := accounts.Delete(made.ID); err != nil {
		t.Fatal(err)
	}
	_, find := accounts.Find(made.ID)
	for _, err := range []error{find, accounts.Delete(made.ID), accounts.SetPassword(made.ID, "other")} {
		if !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	}
	if again, err := accounts.Create(email, password); err != nil || again.ID == made.ID {
		t.Error(again.ID, err)
	}
}

func Test_a_password_that_is_set_to_the_same_text_is_another(t *testing.T) {
	accounts := open(t, Cost{1, 64})
	made, _ := accounts.Create(email, password)
	if err := accounts.SetPassword(made.ID, password); err != nil {
		t.Fatal(err)
	}
	latest, err := accounts.Authenticate(email, password)
	if err != nil || latest.Password.Same(made.Password) || !made.Password.Same(made.Password) {
		t.Error(err)
	}
}

func Test_an_unknown_address_takes_as_long_as_a_wrong_password(t *testing.T) {
	accounts := open(t, Cost{1, 32 << 10})
	if _, err := accounts.Create(email, password); err != nil {
		t.Fatal(err)
	}
	fastest := func(email string) time.Duration {
		least := time.Hour
		for range 5 {
			start := time.Now()
			_, _ = accounts.Authenticate(email, "wrong")
			least = min(least, time.Since(start))
		}
		return least
	}
	if wrong, unknown := fastest(email), fastest("bob@example.com"); unknown < wrong/2 {
		t.Errorf("a wrong password takes %v, and an unknown address %v", wrong, unknown)
	}
}

func Test_a_file_that_is_open_elsewhere_is_an_error_that_says_so(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accounts.db")
	first, err := Open(file, Cost{1, 64})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Open(file, Cost{1, 64}); err == nil {
		t.Error("it was opened twice")
	}
}
