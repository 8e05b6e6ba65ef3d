// Command nomos-provider-toycloud is a Nomos compute provider: its instances are
// records in its memory, and boot in a moment.
//
// main.go is the process: flags, announcement, signals, leaving. server.go is the
// protocol, values.go reads arguments, cloud.go holds the instances, bootstrap.go
// writes scripts, heartbeat.go does what a heartbeat asks for.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"example.com/compute-in-go/internal/providerv1"
	"example.com/compute-in-go/internal/providerv2"
)

const (
	providerType = "toycloud"      // the binary is called nomos-provider-<type>
	maxMessage   = 4 << 20         // bytes; what a gRPC client receives by default
	grace        = 3 * time.Second // for calls in flight; the protocol gives the whole end five
)

// version is replaced in a release: go build -ldflags "-X main.version=1.2.3"
var version = "0.1.0"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole life of the provider; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	level := slog.LevelInfo
	flags := flag.NewFlagSet("nomos-provider-"+providerType, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.TextVar(&level, "log-level", level, "debug, info, warn or error")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	// Everything but the announcement goes to stderr: the caller stops reading
	// stdout, and a full pipe would block us.
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))

	// Before the announcement, or a signal that follows it at once would kill us.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	// A caller that is gone has closed our stderr; logging must not kill us then.
	signal.Ignore(syscall.SIGPIPE)

	listener, announcement, err := listen(os.Getenv("NOMOS_LISTEN"))
	if err != nil {
		log.Error("cannot listen", "reason", err)
		return 1
	}
	service := newServer(log)
	transport := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.ConnectionTimeout(2*time.Second), // of the handshake; a mute caller must not delay our end
		grpc.UnaryInterceptor(guard(log)),
	)
	providerv1.RegisterProviderServiceServer(transport, service)
	providerv2.RegisterProviderServiceServer(transport, &functions{server: service})
	failed := make(chan error, 1)
	go func() { failed <- transport.Serve(listener) }()

	if _, err := io.WriteString(stdout, announcement); err != nil {
		log.Error("cannot announce", "reason", err)
		return 1
	}
	select {
	case err := <-failed:
		log.Error("cannot serve", "reason", err)
		return 1
	case caught := <-signals:
		log.Info("leaving", "signal", caught)
	case <-service.ended:
		log.Info("leaving", "call", "Shutdown")
	}
	leave(transport)
	return 0
}

// leave lets the calls in flight finish, the answer to Shutdown among them, and
// cuts off those that take longer than the grace period.
func leave(transport *grpc.Server) {
	finished := make(chan struct{})
	go func() {
		transport.GracefulStop()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(grace):
		go transport.Stop()
		select {
		case <-finished:
		case <-time.After(grace / 8):
		}
	}
}

// listen opens the socket that the caller asks for in NOMOS_LISTEN and returns
// what to print on stdout: two forms of the port, the first for callers of the
// written protocol, the second for the nomos command line.
func listen(wanted string) (net.Listener, string, error) {
	if wanted == "" {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, "", err
		}
		port := listener.Addr().(*net.TCPAddr).Port
		return listener, fmt.Sprintf("PORT=%d\nPROVIDER_PORT=%d\n", port, port), nil
	}
	path, found := strings.CutPrefix(wanted, "unix:")
	if !found || !filepath.IsAbs(path) {
		return nil, "", errors.New("NOMOS_LISTEN: want unix: and an absolute path")
	}
	// The socket of a provider that was killed stays behind; one that answers is
	// in use and not ours to remove.
	if connection, err := net.Dial("unix", path); err == nil {
		_ = connection.Close()
		return nil, "", errors.New("NOMOS_LISTEN: another process listens on this socket")
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, "", err
	}
	return listener, "UNIX=" + path + "\n", nil
}
