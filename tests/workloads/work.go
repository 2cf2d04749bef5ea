// A static Go program, as jobs are: goroutines on several threads, a child, files, HTTP on loopback.
// Prints what it takes the machine for, then ok.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("go:", err)
		os.Exit(1)
	}
}

func threads() {
	var all sync.WaitGroup
	sum := make([]int, 16)
	for i := range sum {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			runtime.LockOSThread() // a thread each, not only a goroutine
			for n := 0; n < 1000; n++ {
				sum[i] += n
			}
			time.Sleep(time.Millisecond)
		}(i)
	}
	all.Wait()
	garbage := 0
	for i := 0; i < 100000; i++ {
		garbage += len(make([]byte, 100))
	}
	runtime.GC()
}

func files() {
	dir, err := os.MkdirTemp("", "go")
	must(err)
	must(os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600))
	must(os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	must(os.RemoveAll(dir))
}

func child() {
	out, err := exec.Command("/bin/echo", "hi").Output()
	must(err)
	if string(out) != "hi\n" {
		must(fmt.Errorf("the child said %q", out))
	}
}

func loopback() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	r, err := http.Post("http://"+l.Addr().String(), "text/plain", strings.NewReader("there and back"))
	must(err)
	body, err := io.ReadAll(r.Body)
	must(err)
	if string(body) != "there and back" {
		must(fmt.Errorf("http answered %q", body))
	}
}

func main() {
	threads()
	files()
	child()
	loopback()
	fmt.Println("cpus", runtime.NumCPU())
	fmt.Println("ok")
}
