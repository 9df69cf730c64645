package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// behaviour is what the server does with one request.
type behaviour struct {
	name string // as in the script
	// What is answered without looking at the request; status 0 lets the request through.
	status      int
	code, text  string // of a Connect error; without a code the text is the plain body
	retryAfter  string
	wait        time.Duration
	hang, reset bool
}

func (b behaviour) passes() bool { return b.status == 0 && !b.hang && !b.reset }

const behaviours = "ok, 401, 413, 429, 429-after=SECONDS, 500, 503-plain, 400-plain, hang, reset, slow=MS"

func parseBehaviour(word string) (behaviour, error) {
	name, argument, has := strings.Cut(word, "=")
	var number int
	if has {
		parsed, err := strconv.Atoi(argument)
		if err != nil || parsed < 0 {
			return behaviour{}, fmt.Errorf("`%s` wants a whole number after `=`", word)
		}
		number = parsed
	}
	if has != (name == "429-after" || name == "slow") {
		return behaviour{}, fmt.Errorf("no behaviour is called `%s`; there are %s", word, behaviours)
	}
	switch name {
	case "ok":
		return behaviour{name: word}, nil
	case "401":
		return behaviour{name: word, status: http.StatusUnauthorized, code: "unauthenticated", text: "invalid credentials"}, nil
	case "413":
		return behaviour{name: word, status: http.StatusRequestEntityTooLarge, code: "invalid_argument", text: "request body too large"}, nil
	case "429", "429-after":
		b := behaviour{name: word, status: http.StatusTooManyRequests, code: "resource_exhausted", text: "push rate limit (4 MB) exceeded"}
		if has {
			b.retryAfter = argument
		}
		return b, nil
	case "500":
		return behaviour{name: word, status: http.StatusInternalServerError, code: "internal", text: "failed to write the profile"}, nil
	case "503-plain":
		return behaviour{name: word, status: http.StatusServiceUnavailable, text: "upstream connect error or disconnect/reset before headers\n"}, nil
	case "400-plain":
		return behaviour{name: word, status: http.StatusBadRequest, text: "Bad Request\n"}, nil
	case "hang":
		return behaviour{name: word, hang: true}, nil
	case "reset":
		return behaviour{name: word, reset: true}, nil
	case "slow":
		return behaviour{name: word, wait: time.Duration(number) * time.Millisecond}, nil
	}
	return behaviour{}, fmt.Errorf("no behaviour is called `%s`; there are %s", word, behaviours)
}

// script hands out one behaviour a request; the last one repeats.
type script struct {
	mu    sync.Mutex
	steps []behaviour
	next  int
}

// parseScript reads behaviours separated by commas or white space, each with an optional count: `500*3, 429-after=1, ok`. In a
// file, `#` begins a comment.
func parseScript(text string) (*script, error) {
	s := &script{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
			word, times, counted := strings.Cut(word, "*")
			count := 1
			if counted {
				parsed, err := strconv.Atoi(times)
				if err != nil || parsed < 1 || parsed > 10000 {
					return nil, fmt.Errorf("`%s*%s` wants a count from 1 to 10000", word, times)
				}
				count = parsed
			}
			step, err := parseBehaviour(word)
			if err != nil {
				return nil, err
			}
			for range count {
				s.steps = append(s.steps, step)
			}
		}
	}
	if len(s.steps) == 0 {
		return nil, fmt.Errorf("the script is empty; it may have %s", behaviours)
	}
	return s, nil
}

// loadScript takes the name of a file, or else the script itself.
func loadScript(argument string) (*script, error) {
	if text, err := os.ReadFile(argument); err == nil {
		return parseScript(string(text))
	}
	return parseScript(argument)
}

func (s *script) take() behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	step := s.steps[s.next]
	if s.next+1 < len(s.steps) {
		s.next++
	}
	return step
}
