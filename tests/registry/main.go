// A schema registry in memory for tests: srfake of franz-go, written by others, as a program.
//
// It prints its base URL as one line on stdout once requests are taken, and ends when its stdin closes, so that a
// test that dies leaves nothing behind, or on SIGTERM. Flags make it slow, ask for basic auth or fail at first.
// GET /-/requests lists what was asked so far, refused requests too: a JSON array of "METHOD PATH".
package main

import (
	"crypto/subtle"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("lockstep-registry: ")
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on: 127.0.0.1 and a port, 0 for a free one")
	user := flag.String("user", "", "ask for basic auth with this `name`; needs --password-env")
	passwordEnv := flag.String("password-env", "", "environment `variable` that holds the password")
	failFirst := flag.Int64("fail-first", 0, "answer the first `N` requests with --fail-status")
	failStatus := flag.Int("fail-status", http.StatusInternalServerError, "`status` of those answers")
	delayMs := flag.Int("delay-ms", 0, "wait this many `milliseconds` before each answer")
	flag.Parse()

	password := os.Getenv(*passwordEnv)
	switch host, _, err := net.SplitHostPort(*listen); {
	case flag.NArg() > 0:
		log.Fatalf("what is %q? There are only flags: --help lists them", flag.Arg(0))
	case err != nil || host != "127.0.0.1":
		log.Fatalf("--listen %s: only 127.0.0.1:PORT is listened on", *listen)
	case (*user == "") != (password == ""):
		log.Fatal("basic auth needs both: --user, and --password-env with a variable that is set and not empty")
	case *failStatus < 400 || *failStatus > 599:
		log.Fatalf("--fail-status %d: a failure is 400 to 599", *failStatus)
	}

	handler := srfake.NewRegistry().Handler()
	if *user != "" {
		handler = askAuth(*user, password, handler)
	}
	handler = failAtFirst(*failFirst, *failStatus, handler)
	handler = wait(time.Duration(*delayMs)*time.Millisecond, handler)
	handler = remember(handler)

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatalf("could not listen: %v", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(listener, handler) }()
	// From Listen on the system takes connections, so whoever reads this line may ask.
	fmt.Printf("http://%s\n", listener.Addr())

	stdinClosed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stdinClosed)
	}()
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stdinClosed:
	case <-told:
	case err := <-failed:
		log.Fatalf("could not serve: %v", err)
	}
}

func askAuth(user, password string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(u+"\x00"+p), []byte(user+"\x00"+password)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			refuse(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func failAtFirst(n int64, status int, next http.Handler) http.Handler {
	var left atomic.Int64
	left.Store(n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left.Add(-1) >= 0 {
			refuse(w, status, "a failure that --fail-first asked for")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func wait(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(d)
		next.ServeHTTP(w, r)
	})
}

func remember(next http.Handler) http.Handler {
	var lock sync.Mutex
	asked := []string{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/-/requests" {
			lock.Lock()
			asked = append(asked, r.Method+" "+r.URL.Path)
			lock.Unlock()
			next.ServeHTTP(w, r)
			return
		}
		lock.Lock()
		defer lock.Unlock()
		_ = json.NewEncoder(w).Encode(asked)
	})
}

// As Confluent's registry refuses: a JSON body with a code of its own.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error_code": status, "message": message})
}
