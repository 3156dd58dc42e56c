// Package models keeps the accounts of an application in a file.
package models

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

var (
	ErrTaken   = errors.New("models: there is an account with this email address")
	ErrUnknown = errors.New("models: there is no such account")
	ErrWrong   = errors.New("models: the email address or the password is wrong")
)

// An Account is a person's. Its sessions belong to the ID: an email address can change, and can
// later be someone else's.
type Account struct {
	ID       string // random
	Email    string
	Password Password
}

// Accounts keeps accounts in a bbolt file: by ID as JSON, and the ID by email address.
type Accounts struct {
	db     *bbolt.DB
	cost   Cost
	nobody Account // stands for an unknown account when a password is checked
}

var byID, byEmail = []byte("accounts"), []byte("emails")

// Open opens the file, or makes it. A new password costs that much to hash.
func Open(file string, cost Cost) (*Accounts, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("%s: %w: end the other process that has it open, and let this user write to it", file, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(byID)
		_, other := tx.CreateBucketIfNotExists(byEmail)
		return errors.Join(err, other)
	})
	return &Accounts{db, cost, Account{Password: NewPassword(rand.Text(), cost)}}, err
}

// Close closes the file.
func (a *Accounts) Close() error { return a.db.Close() }

// Create makes an account. The error is ErrTaken if the email address has one.
func (a *Accounts) Create(email, password string) (Account, error) {
	account := Account{ID: rand.Text(), Email: email, Password: NewPassword(password, a.cost)}
	return account, a.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(byEmail).Get([]byte(email)) != nil {
			return ErrTaken
		}
		return errors.Join(put(tx, account), tx.Bucket(byEmail).Put([]byte(email), []byte(account.ID)))
	})
}

// Find returns an account by its ID, or ErrUnknown.
func (a *Accounts) Find(id string) (account Account, err error) {
	err = a.db.View(func(tx *bbolt.Tx) error {
		account, err = get(tx, []byte(id))
		return err
	})
	return account, err
}

// Authenticate returns the account with that email address and password, or ErrWrong. For an unknown
// address it does the same work, so that the time it takes does not tell who has an account.
func (a *Accounts) Authenticate(email, password string) (account Account, err error) {
	err = a.db.View(func(tx *bbolt.Tx) error {
		account, err = get(tx, tx.Bucket(byEmail).Get([]byte(email)))
		return err
	})
	if errors.Is(err, ErrUnknown) {
		account, err = a.nobody, nil
	}
	if err != nil {
		return Account{}, err
	}
	if !account.Password.Matches(password) || account.ID == "" {
		return Account{}, ErrWrong
	}
	return account, nil
}

// Unchanged returns ErrWrong if the account's password was set again, or the account deleted, after
// account was read.
func (a *Accounts) Unchanged(account Account) error {
	latest, err := a.Find(account.ID)
	if errors.Is(err, ErrUnknown) || err == nil && !latest.Password.Same(account.Password) {
		return ErrWrong
	}
	return err
}

// SetPassword replaces the password of an account.
func (a *Accounts) SetPassword(id, password string) error {
	hashed := NewPassword(password, a.cost) // before the transaction, for which all others wait
	return a.db.Update(func(tx *bbolt.Tx) error {
		account, err := get(tx, []byte(id))
		if err != nil {
			return err
		}
		account.Password = hashed
		return put(tx, account)
	})
}

// Delete deletes an account.
func (a *Accounts) Delete(id string) error {
	return a.db.Update(func(tx *bbolt.Tx) error {
		account, err := get(tx, []byte(id))
		if err != nil {
			return err
		}
		return errors.Join(tx.Bucket(byEmail).Delete([]byte(account.Email)), tx.Bucket(byID).Delete([]byte(id)))
	})
}

func get(tx *bbolt.Tx, id []byte) (account Account, err error) {
	record := tx.Bucket(byID).Get(id)
	if record == nil {
		return account, ErrUnknown
	}
	return account, json.Unmarshal(record, &account)
}

func put(tx *bbolt.Tx, account Account) error {
	record, err := json.Marshal(account)
	if err != nil {
		return err
	}
	return tx.Bucket(byID).Put([]byte(account.ID), record)
}
