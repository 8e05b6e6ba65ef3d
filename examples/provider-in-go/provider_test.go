package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/provider-in-go/internal/providerv1"
)

// The tests run the real program: this test binary, started again, is the provider.
const asProvider = "TEST_AS_PROVIDER"

func TestMain(m *testing.M) {
	if os.Getenv(asProvider) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a provider that was started, and a client of it.
type process struct {
	providerv1.ProviderServiceClient
	command      *exec.Cmd
	announcement []string
	stdout       *bufio.Reader
	stderr       *bytes.Buffer
}

// start runs the provider and connects to what it announces in its first line.
func start(t *testing.T, environment ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(os.Args[0]), stderr: new(bytes.Buffer)}
	p.command.Env = append(append(os.Environ(), asProvider+"=1"), environment...)
	p.command.Stderr = p.stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.command.ProcessState == nil {
			_ = p.command.Process.Kill()
			_ = p.command.Wait()
		}
	})
	p.stdout = bufio.NewReader(stdout)
	line := p.line(t)
	target, isSocket := strings.CutPrefix(line, "UNIX=")
	if target = "unix:" + target; !isSocket {
		target = "127.0.0.1:" + strings.TrimPrefix(line, "PORT=")
		p.line(t)
	}
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	p.ProviderServiceClient = providerv1.NewProviderServiceClient(connection)
	return p
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("announcement: %v; stderr: %s", err, p.stderr)
	}
	p.announcement = append(p.announcement, strings.TrimSuffix(line, "\n"))
	return p.announcement[len(p.announcement)-1]
}

// wait returns the exit code. The limit is only there to end a test whose
// provider stays; how soon a provider leaves is for pytest-nomos to judge.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	late := time.AfterFunc(30*time.Second, func() { _ = p.command.Process.Kill() })
	defer late.Stop()
	_ = p.command.Wait()
	return p.command.ProcessState.ExitCode()
}

func (p *process) initWith(t *testing.T, config map[string]any, source string) error {
	t.Helper()
	fields, err := structpb.NewStruct(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Init(t.Context(), &providerv1.InitRequest{Alias: "settings", Config: fields, SourceFilePath: source})
	return err
}

func (p *process) fetch(ctx context.Context, path ...string) (any, error) {
	response, err := p.Fetch(ctx, &providerv1.FetchRequest{Path: path})
	if err != nil {
		return nil, err
	}
	value := response.GetValue().AsMap()
	if inner, isWrapped := value["value"]; isWrapped && len(value) == 1 {
		return inner, nil
	}
	return value, nil
}

// initialised starts a provider on a folder with the given files.
func initialised(t *testing.T, files map[string]string) (*process, string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t)
	if err := p.initWith(t, map[string]any{"directory": folder}, ""); err != nil {
		t.Fatal(err)
	}
	return p, folder
}

func wantCode(t *testing.T, err error, want codes.Code, parts ...string) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("code %v, want %v: %v", got, want, err)
	}
	message := status.Convert(err).Message()
	if len(message) > 1024 {
		t.Errorf("message of %d bytes", len(message))
	}
	for _, part := range parts {
		if !strings.Contains(message, part) {
			t.Errorf("message %q does not name %q", message, part)
		}
	}
}

func (p *process) wantStatus(t *testing.T, want providerv1.HealthResponse_Status) {
	t.Helper()
	answer, err := p.Health(t.Context(), &providerv1.HealthRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetStatus() != want || answer.GetMessage() == "" {
		t.Errorf("health %v %q, want %v and a message", answer.GetStatus(), answer.GetMessage(), want)
	}
}

func TestAnnouncesItsPortInBothForms(t *testing.T) {
	p := start(t)
	port := strings.TrimPrefix(p.announcement[0], "PORT=")
	if want := []string{"PORT=" + port, "PROVIDER_PORT=" + port}; fmt.Sprint(p.announcement) != fmt.Sprint(want) {
		t.Errorf("announced %q, want %q", p.announcement, want)
	}
	p.wantStatus(t, providerv1.HealthResponse_STATUS_STARTING)
}

func TestServesASocketAndRemovesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	stale, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(stale, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Close(stale) // what a killed provider leaves behind
	p := start(t, "NOMOS_LISTEN=unix:"+path)
	p.wantStatus(t, providerv1.HealthResponse_STATUS_STARTING)

	second := exec.Command(os.Args[0])
	second.Env = append(os.Environ(), asProvider+"=1", "NOMOS_LISTEN=unix:"+path)
	if output, err := second.Output(); err == nil || len(output) != 0 {
		t.Errorf("a second provider on the same socket: %v, printed %q", err, output)
	}
	p.wantStatus(t, providerv1.HealthResponse_STATUS_STARTING)

	_ = p.command.Process.Signal(syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestFetchGivesExactlyWhatTheFilesHold(t *testing.T) {
	deep := strings.Repeat(`{"k":`, 200) + "1" + strings.Repeat("}", 200)
	p, _ := initialised(t, map[string]string{
		"app.json": `{"name": "shop", "n": 9007199254740992, "ratio": 0.1, "off": false, "none": null, "text": "世界",
			"list": [[1, 2], [3]], "empty": {}, "nothing": [], "y[0]": "literal", "y": ["index"], "deep": ` + deep + `}`,
		"list.json":        `[10, 20]`,
		"team/app.json":    `{"name": "team"}`,
		"team/scalar.json": `"alone"`,
	})
	for path, want := range map[string]any{
		"app name":                             "shop",
		"app n":                                9007199254740992.0,
		"app ratio":                            0.1,
		"app off":                              false,
		"app none":                             nil,
		"app text":                             "世界",
		"app list":                             []any{[]any{1.0, 2.0}, []any{3.0}},
		"app list[0][1]":                       2.0,
		"app y[0]":                             "literal",
		"app empty":                            map[string]any{},
		"app nothing":                          []any{},
		"list":                                 []any{10.0, 20.0},
		"list[1]":                              20.0,
		"team app name":                        "team",
		"team app *":                           map[string]any{"name": "team"},
		"team scalar":                          "alone",
		"team *":                               map[string]any{"app": map[string]any{"name": "team"}, "scalar": "alone"},
		"app deep" + strings.Repeat(" k", 200): 1.0,
	} {
		got, err := p.fetch(t.Context(), strings.Fields(path)...)
		if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s: %#v %v, want %#v", path, got, err, want)
		}
	}
	all, err := p.fetch(t.Context(), "*")
	if names, isMap := all.(map[string]any); err != nil || !isMap || len(names) != 2 {
		t.Errorf("*: %v %v", all, err)
	}
}

func TestFetchRefusesWithACodeAndANameButNoValue(t *testing.T) {
	p, folder := initialised(t, map[string]string{
		"app.json":     `{"name": "shop", "list": [1], "exact": 9007199254740993, "large": 1e999}`,
		"half.json":    "{\n\"canary-value\":",
		"two.json":     `{} "canary-value"`,
		"latin.json":   "\"canary-value \xe9\"",
		"huge.json":    `"` + strings.Repeat("x", 5<<20) + `"`,
		"team/in.json": `1`,
	})
	outside := filepath.Join(t.TempDir(), "outside.json")
	if err := os.WriteFile(outside, []byte(`"canary-value"`), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"out.json": outside, "folder": filepath.Dir(outside), "round.json": "round.json", "gone.json": "nothing.json",
	} {
		if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("ö", 1<<19)
	for _, c := range []struct {
		want codes.Code
		path []string
		name string
	}{
		{codes.InvalidArgument, nil, "empty"},
		{codes.InvalidArgument, []string{"app", ""}, "segment 1"},
		{codes.InvalidArgument, []string{"team", "..", "app"}, `".."`},
		{codes.InvalidArgument, []string{"."}, `"."`},
		{codes.InvalidArgument, []string{"team/in"}, `"team/in"`},
		{codes.InvalidArgument, []string{outside}, "levels"},
		{codes.InvalidArgument, []string{`team\in`}, "team"},
		{codes.InvalidArgument, []string{"app\x00"}, "app"},
		{codes.InvalidArgument, []string{"*", "name"}, "*"},
		{codes.NotFound, []string{"%2e%2e", "outside"}, `"%2e%2e"`},
		{codes.NotFound, []string{"nobody"}, `"nobody"`},
		{codes.NotFound, []string{"gone"}, `"gone"`},
		{codes.NotFound, []string{"team"}, `"team"`},
		{codes.NotFound, []string{"app.json"}, `"app.json"`},
		{codes.NotFound, []string{"app", "list[1]"}, `"list[1]"`},
		{codes.NotFound, []string{"app", "list[-1]"}, `"list[-1]"`},
		{codes.NotFound, []string{"app", "list[99999999999999999999]"}, "list["},
		{codes.NotFound, []string{"app", "name", "first"}, `"first"`},
		{codes.NotFound, []string{"app", "name", "*"}, "*"},
		{codes.NotFound, []string{long}, "öö"},
		{codes.NotFound, strings.Fields(strings.Repeat("team ", 10000)), `"team"`},
		{codes.PermissionDenied, []string{"out"}, `"out"`},
		{codes.PermissionDenied, []string{"folder", "outside"}, `"folder"`},
		{codes.PermissionDenied, []string{"round"}, `"round"`},
		{codes.FailedPrecondition, []string{"half"}, "line 2"},
		{codes.FailedPrecondition, []string{"two"}, "two.json"},
		{codes.FailedPrecondition, []string{"latin"}, "latin.json"},
		{codes.FailedPrecondition, []string{"app", "exact"}, "string"},
		{codes.FailedPrecondition, []string{"app", "large"}, "string"},
		{codes.ResourceExhausted, []string{"huge"}, `"huge"`},
	} {
		_, err := p.fetch(t.Context(), c.path...)
		wantCode(t, err, c.want, c.name)
		if message := status.Convert(err).Message(); strings.Contains(message, "canary") || strings.Contains(message, folder) {
			t.Errorf("the message tells a value: %s", message)
		}
	}
	if got, err := p.fetch(t.Context(), "app", "name"); err != nil || got != "shop" {
		t.Errorf("afterwards: %v %v", got, err)
	}
}

func TestOtherCallsGoOnWhileAFetchWaitsForAPipe(t *testing.T) {
	p, folder := initialised(t, map[string]string{"app.json": `{"name": "shop"}`})
	pipe := filepath.Join(folder, "pipe.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	waiting := make(chan error, 1)
	go func() {
		_, err := p.fetch(ctx, "pipe")
		waiting <- err
	}()
	p.wantStatus(t, providerv1.HealthResponse_STATUS_OK)
	if got, err := p.fetch(t.Context(), "app", "name"); err != nil || got != "shop" {
		t.Errorf("meanwhile: %v %v", got, err)
	}
	wantCode(t, <-waiting, codes.DeadlineExceeded)

	// The caller is answered before the handler has closed the pipe; a writer would still find that reader.
	for {
		early, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, syscall.ENXIO) {
			break
		}
		if err != nil || t.Context().Err() != nil {
			t.Fatal(err)
		}
		_ = early.Close()
		runtime.Gosched()
	}

	// The same again, and this time somebody writes: in two parts, with a pause.
	answers := make(chan any, 1)
	go func() {
		got, err := p.fetch(t.Context(), "pipe", "a")
		answers <- fmt.Sprintf("%v, %v", got, err)
	}()
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`{"a":`, ` "b"}`} {
		if _, err := writer.WriteString(part); err != nil {
			t.Fatal(err)
		}
		p.wantStatus(t, providerv1.HealthResponse_STATUS_OK)
	}
	_ = writer.Close()
	if got := <-answers; got != "b, <nil>" {
		t.Errorf("from the pipe: %v", got)
	}
}

func TestThirtyTwoCallersGetTheirOwnAnswers(t *testing.T) {
	files := make(map[string]string)
	for i := range 32 {
		files[fmt.Sprintf("f%d.json", i)] = fmt.Sprintf(`{"n": %d}`, i)
	}
	p, _ := initialised(t, files)
	var group sync.WaitGroup
	for i := range 32 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 50 {
				if got, err := p.fetch(t.Context(), fmt.Sprintf("f%d", i), "n"); err != nil || got != float64(i) {
					t.Errorf("f%d: %v %v", i, got, err)
				}
			}
		}()
	}
	group.Wait()
}

func TestInitRefusesWhatItCannotUse(t *testing.T) {
	p := start(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "secret-value.json")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   codes.Code
		config map[string]any
	}{
		{codes.InvalidArgument, nil},
		{codes.InvalidArgument, map[string]any{"type": "x", "other": 1}},
		{codes.InvalidArgument, map[string]any{"directory": 5}},
		{codes.InvalidArgument, map[string]any{"directory": nil}},
		{codes.InvalidArgument, map[string]any{"directory": ""}},
		{codes.InvalidArgument, map[string]any{"directory": []any{folder}}},
		{codes.InvalidArgument, map[string]any{"directory": "secret-value\x00"}},
		{codes.InvalidArgument, map[string]any{"directory": file}},
		{codes.FailedPrecondition, map[string]any{"directory": folder + "/secret-value"}},
		{codes.FailedPrecondition, map[string]any{"directory": strings.Repeat("secret-value", 1000)}},
	} {
		err := p.initWith(t, c.config, "")
		wantCode(t, err, c.want, "directory")
		if strings.Contains(err.Error(), "secret-value") {
			t.Errorf("the message tells a value: %v", err)
		}
		_, err = p.fetch(t.Context())
		wantCode(t, err, codes.FailedPrecondition)
	}
	_, err := p.Init(t.Context(), &providerv1.InitRequest{})
	wantCode(t, err, codes.InvalidArgument, "alias")
}

func TestASecondInitKeepsReplacesOrRefuses(t *testing.T) {
	p, folder := initialised(t, map[string]string{"app.json": `"first"`, "sub/app.json": `"second"`})
	wantApp := func(want string) {
		t.Helper()
		if got, err := p.fetch(t.Context(), "app"); err != nil || got != want {
			t.Errorf("%v %v, want %s", got, err, want)
		}
	}
	if err := p.initWith(t, nil, ""); err != nil { // what a build of a folder sends
		t.Error(err)
	}
	wantApp("first")
	wantCode(t, p.initWith(t, map[string]any{"directory": folder + "/none"}, ""), codes.FailedPrecondition)
	wantApp("first")
	reserved := map[string]any{"directory": "sub", "alias": "x", "type": "y", "version": "9.9.9"}
	if err := p.initWith(t, reserved, filepath.Join(folder, "a.csl")); err != nil {
		t.Error(err)
	}
	wantApp("second")
	info, err := p.Info(t.Context(), &providerv1.InfoRequest{})
	if err != nil || info.GetAlias() != "settings" || info.GetType() != providerType || info.GetVersion() != version {
		t.Errorf("%v %v", info, err)
	}
}

func TestHealthTellsWhatIsMissing(t *testing.T) {
	p, folder := initialised(t, map[string]string{"app.json": `1`})
	p.wantStatus(t, providerv1.HealthResponse_STATUS_OK)
	if err := os.Remove(filepath.Join(folder, "app.json")); err != nil {
		t.Fatal(err)
	}
	p.wantStatus(t, providerv1.HealthResponse_STATUS_DEGRADED)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	p.wantStatus(t, providerv1.HealthResponse_STATUS_DEGRADED)
	_, err := p.fetch(t.Context(), "app")
	wantCode(t, err, codes.Unavailable, "app")
}

func TestShutdownEndsTheProcess(t *testing.T) {
	p, _ := initialised(t, map[string]string{"app.json": `1`})
	if _, err := p.Shutdown(t.Context(), &providerv1.ShutdownRequest{}); err != nil {
		t.Error(err)
	}
	_ = p.command.Process.Signal(syscall.SIGTERM) // a host that sends both is no reason to fail
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}
	if rest, _ := p.stdout.ReadString(0); rest != "" {
		t.Errorf("more on stdout: %q", rest)
	}
}

func TestAfterShutdownOnlyInfoAndHealthAnswer(t *testing.T) {
	// Without a process, which would be gone too soon to ask.
	service := newServer(slog.New(slog.DiscardHandler))
	for range 2 {
		if _, err := service.Shutdown(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	<-service.ended
	_, err := service.Fetch(t.Context(), &providerv1.FetchRequest{Path: []string{"app"}})
	wantCode(t, err, codes.FailedPrecondition)
	config := &structpb.Struct{Fields: map[string]*structpb.Value{"directory": structpb.NewStringValue(t.TempDir())}}
	_, err = service.Init(t.Context(), &providerv1.InitRequest{Alias: "a", Config: config})
	wantCode(t, err, codes.FailedPrecondition)
	if info, err := service.Info(t.Context(), nil); err != nil || info.GetType() != providerType {
		t.Errorf("%v %v", info, err)
	}
	answer, err := service.Health(t.Context(), nil)
	if err != nil || answer.GetStatus() != providerv1.HealthResponse_STATUS_DEGRADED {
		t.Errorf("%v %v", answer, err)
	}
}

func TestASignalLetsTheRunningCallFinish(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p, folder := initialised(t, nil)
		pipe := filepath.Join(folder, "pipe.json")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		answers := make(chan string, 1)
		go func() {
			got, err := p.fetch(t.Context(), "pipe")
			answers <- fmt.Sprintf("%v, %v", got, err)
		}()
		writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // opens when the provider reads
		if err != nil {
			t.Fatal(err)
		}
		_ = p.command.Process.Signal(signal)
		_, _ = writer.WriteString(`"finished"`)
		_ = writer.Close()
		if got := <-answers; got != "finished, <nil>" {
			t.Errorf("%v: the running call: %s", signal, got)
		}
		if code := p.wait(t); code != 0 {
			t.Errorf("%v: exit code %d", signal, code)
		}
	}
}

func TestACallThatNeverEndsDoesNotHoldTheProcess(t *testing.T) {
	p, folder := initialised(t, nil)
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := p.fetch(t.Context(), "pipe")
		ended <- err
	}()
	writer, err := os.OpenFile(filepath.Join(folder, "pipe.json"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := <-ended; err == nil {
		t.Error("the call was answered")
	}
}

func TestWrongUseEndsWithAnExitCodeAndNoAnnouncement(t *testing.T) {
	for name, change := range map[string]func(*exec.Cmd){
		"unknown flag":   func(c *exec.Cmd) { c.Args = append(c.Args, "--no-such-flag") },
		"unknown level":  func(c *exec.Cmd) { c.Args = append(c.Args, "--log-level", "loud") },
		"relative":       func(c *exec.Cmd) { c.Env = append(c.Env, "NOMOS_LISTEN=unix:socket") },
		"no such folder": func(c *exec.Cmd) { c.Env = append(c.Env, "NOMOS_LISTEN=unix:/no/such/folder/socket") },
	} {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), asProvider+"=1")
		var stderr bytes.Buffer
		command.Stderr = &stderr
		change(command)
		output, err := command.Output()
		if err == nil || len(output) != 0 || stderr.Len() == 0 {
			t.Errorf("%s: %v, stdout %q, stderr %q", name, err, output, &stderr)
		}
	}
}

func TestTheLogLevelDecidesWhatIsLogged(t *testing.T) {
	for level, want := range map[string]bool{"debug": true, "error": false} {
		command := exec.Command(os.Args[0], "--log-level", level)
		command.Env = append(os.Environ(), asProvider+"=1")
		var stderr bytes.Buffer
		command.Stderr = &stderr
		stdout, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Error(err)
		}
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil || (stderr.Len() > 0) != want {
			t.Errorf("%s: %v, logged %q", level, err, &stderr)
		}
	}
}
