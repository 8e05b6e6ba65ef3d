package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sort"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/compute-in-go/internal/providerv1"
	"example.com/compute-in-go/internal/providerv2"
)

// server is version 1: Init makes the cloud, Shutdown lets it go.
type server struct {
	providerv1.UnimplementedProviderServiceServer

	log   *slog.Logger
	ended chan struct{} // closed by the first Shutdown

	mu    sync.RWMutex // held for a moment only
	alias string
	cloud *cloud // nil before the first good Init and after Shutdown
	over  bool
}

func newServer(log *slog.Logger) *server {
	return &server{log: log, ended: make(chan struct{})}
}

// Init checks the configuration completely before anything changes; a further
// one brings a cloud with nothing in it.
func (s *server) Init(_ context.Context, request *providerv1.InitRequest) (*providerv1.InitResponse, error) {
	if request.GetAlias() == "" {
		return nil, status.Error(codes.InvalidArgument, "alias is empty: give the provider a name")
	}
	made, err := newCloud(settingsOf(request.GetConfig()))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, status.Error(codes.FailedPrecondition, "the provider was shut down: start a new process")
	}
	s.alias, s.cloud = request.GetAlias(), made
	return &providerv1.InitResponse{}, nil
}

// settingsOf leaves out the keys that belong to the caller.
func settingsOf(config *structpb.Struct) map[string]*structpb.Value {
	settings := make(map[string]*structpb.Value)
	for key, value := range config.GetFields() {
		switch key {
		case "alias", "type", "version":
		default:
			settings[key] = value
		}
	}
	return settings
}

// Fetch has nothing to offer: this provider holds no configuration.
func (s *server) Fetch(_ context.Context, request *providerv1.FetchRequest) (*providerv1.FetchResponse, error) {
	if _, err := s.running(); err != nil {
		return nil, err
	}
	for _, segment := range request.GetPath() {
		if segment == "" {
			return nil, status.Error(codes.InvalidArgument, "a segment of the path is empty")
		}
	}
	return nil, status.Error(codes.NotFound, "a compute provider holds no configuration")
}

// Info can be called at any time.
func (s *server) Info(context.Context, *providerv1.InfoRequest) (*providerv1.InfoResponse, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &providerv1.InfoResponse{Alias: s.alias, Version: version, Type: providerType}, nil
}

// Health can be called at any time, and first of all calls.
func (s *server) Health(context.Context, *providerv1.HealthRequest) (*providerv1.HealthResponse, error) {
	if _, err := s.running(); err != nil {
		return &providerv1.HealthResponse{
			Status: providerv1.HealthResponse_STATUS_STARTING, Message: status.Convert(err).Message(),
		}, nil
	}
	return &providerv1.HealthResponse{Status: providerv1.HealthResponse_STATUS_OK, Message: "ready"}, nil
}

// Shutdown lets go of the cloud and makes main leave; main waits until this
// answer is out.
func (s *server) Shutdown(context.Context, *providerv1.ShutdownRequest) (*providerv1.ShutdownResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.over, s.cloud = true, nil
		close(s.ended)
	}
	return &providerv1.ShutdownResponse{}, nil
}

func (s *server) running() (*cloud, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.over:
		return nil, status.Error(codes.FailedPrecondition, "the provider was shut down: start a new process")
	case s.cloud == nil:
		return nil, status.Error(codes.FailedPrecondition, "not initialised: call Init first")
	}
	return s.cloud, nil
}

// functions is version 2: what this provider is, and its methods by name.
type functions struct {
	providerv2.UnimplementedProviderServiceServer

	server *server
}

const interfaceName = "compute"

// method is one function of the interface: it reads its arguments and answers.
type method struct {
	idempotent bool
	run        func(*cloud, *record) (*providerv2.Value, error)
}

// methods of the interface that this provider has; it declares no capability,
// so that those of snapshots and spot are absent.
var methods = map[string]method{
	"spawn":              {false, spawn},
	"terminate":          {true, terminate},
	"list":               {true, list},
	"get":                {true, get},
	"generate_bootstrap": {true, generateBootstrap},
	"on_startup":         {false, nothing},
	"on_shutdown":        {false, nothing},
	"on_heartbeat":       {false, heartbeat},
}

// Describe says the same for the whole life of the process.
func (f *functions) Describe(context.Context, *providerv2.DescribeRequest) (*providerv2.DescribeResponse, error) {
	described := &providerv2.Interface{Name: interfaceName, Version: "1"}
	for name, one := range methods {
		described.Functions = append(described.Functions, &providerv2.Function{Name: name, Idempotent: one.idempotent})
	}
	sort.Slice(described.Functions, func(i, j int) bool {
		return described.Functions[i].GetName() < described.Functions[j].GetName()
	})
	return &providerv2.DescribeResponse{
		ProtocolVersions: []string{"v1", "v2"},
		Name:             providerType,
		Type:             providerType,
		Version:          version,
		Interfaces:       []*providerv2.Interface{described},
	}, nil
}

// Call finds the method, then reads its arguments, then runs it: a call that
// cannot be read changes nothing.
func (f *functions) Call(ctx context.Context, request *providerv2.CallRequest) (*providerv2.CallResponse, error) {
	if request.GetInterface() != interfaceName {
		return nil, failure("UNSUPPORTED_OPERATION", "interface %q not supported", shortened(request.GetInterface()))
	}
	found, known := methods[request.GetFunction()]
	if !known {
		return nil, failure("UNSUPPORTED_OPERATION", "function %q not supported", shortened(request.GetFunction()))
	}
	running, err := f.server.running()
	if err != nil {
		return nil, failure("INVALID_STATE", "%s", status.Convert(err).Message())
	}
	result, err := running.once.do(ctx, request, func() (*providerv2.Value, error) {
		arguments := &record{fields: request.GetArgs(), place: "", known: map[string]bool{}, problem: new(error)}
		return found.run(running, arguments)
	})
	if err != nil {
		return nil, err
	}
	return &providerv2.CallResponse{Result: result}, nil
}

func nothing(_ *cloud, arguments *record) (*providerv2.Value, error) {
	return null(), arguments.end()
}

// guard turns a panic, which would end the process and every other call, into an
// error of the one call. The panic's text may hold values and is not logged.
func guard(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
		defer func() {
			if recover() != nil {
				log.Error("panic", "method", info.FullMethod, "stack", string(debug.Stack()))
				err = failure("PROVIDER_INTERNAL", "the provider has a bug: see its log")
			}
		}()
		response, err = handle(ctx, request)
		log.Debug("call", "method", info.FullMethod, "code", status.Code(err))
		return response, err
	}
}
