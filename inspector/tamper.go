package inspector

import "math/rand/v2"

// A tampered is a copy of a cookie's value in which one byte was changed.
type tampered struct {
	Place, Length int // of the byte, from 1; of the value
	Before, After string
	Left, Right   string // of the byte
	Opened        bool   // the store opened a session with it
}

// tamper changes one byte of value, at a random place.
func tamper(value string) tampered {
	at := rand.IntN(len(value))
	after := "A"
	if value[at] == 'A' {
		after = "B"
	}
	left, before, right := value[:at], value[at:at+1], value[at+1:]
	return tampered{Place: at + 1, Length: len(value), Before: before, After: after, Left: left, Right: right}
}
