package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/provider-in-go/internal/providerv1"
)

// server is the protocol: which calls are allowed in which state. One process
// holds one configuration, so that a second alias needs a second process.
type server struct {
	providerv1.UnimplementedProviderServiceServer

	log   *slog.Logger
	ended chan struct{} // closed by the first Shutdown

	mu    sync.RWMutex // held for a moment only, never while a file is read
	alias string       // of the last good Init; for logs, not for configuration
	store *store       // nil before the first good Init and after Shutdown
	over  bool
}

func newServer(log *slog.Logger) *server {
	return &server{log: log, ended: make(chan struct{})}
}

// Init checks the configuration completely before anything changes: after a
// failure the provider goes on with the configuration that it had.
func (s *server) Init(_ context.Context, request *providerv1.InitRequest) (*providerv1.InitResponse, error) {
	if request.GetAlias() == "" {
		return nil, status.Error(codes.InvalidArgument, "alias is empty: give the provider a name")
	}
	settings := settingsOf(request.GetConfig())
	s.mu.RLock()
	opened := s.store
	s.mu.RUnlock()
	// A build of a folder calls Init again with nothing but the alias; then the
	// configuration stays. Without one, the key that is missing gets named.
	if opened == nil || len(settings) > 0 {
		var err error
		if opened, err = openStore(settings, request.GetSourceFilePath()); err != nil {
			s.log.Warn("Init refused", "alias", shortened(request.GetAlias()), "reason", status.Convert(err).Message())
			return nil, err
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, errOver()
	}
	s.alias, s.store = request.GetAlias(), opened
	s.log.Info("initialised", "alias", shortened(s.alias))
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

// Fetch answers from the configuration that was there when the call came.
func (s *server) Fetch(ctx context.Context, request *providerv1.FetchRequest) (*providerv1.FetchResponse, error) {
	s.mu.RLock()
	opened, over := s.store, s.over
	s.mu.RUnlock()
	if over {
		return nil, errOver()
	}
	if opened == nil {
		return nil, status.Error(codes.FailedPrecondition, "not initialised: call Init first")
	}
	value, err := opened.fetch(ctx, request.GetPath())
	if err != nil {
		return nil, err
	}
	response := &providerv1.FetchResponse{Value: value}
	if proto.Size(response) > maxMessage {
		path := request.GetPath()
		return nil, status.Errorf(codes.ResourceExhausted,
			"%s: the answer is larger than 4 MiB: fetch a path further down", shortened(path[len(path)-1]))
	}
	return response, nil
}

// Info can be called at any time.
func (s *server) Info(context.Context, *providerv1.InfoRequest) (*providerv1.InfoResponse, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &providerv1.InfoResponse{Alias: s.alias, Version: version, Type: providerType}, nil
}

// Health can be called at any time, and first of all calls: it is no error that
// Init has not come yet.
func (s *server) Health(context.Context, *providerv1.HealthRequest) (*providerv1.HealthResponse, error) {
	s.mu.RLock()
	opened, over := s.store, s.over
	s.mu.RUnlock()
	switch {
	case over:
		return health(providerv1.HealthResponse_STATUS_DEGRADED, "shut down: start a new process")
	case opened == nil:
		return health(providerv1.HealthResponse_STATUS_STARTING, "waiting for a configuration: call Init")
	}
	if complaint := opened.complaint(); complaint != "" {
		return health(providerv1.HealthResponse_STATUS_DEGRADED, complaint)
	}
	return health(providerv1.HealthResponse_STATUS_OK, "ready")
}

func health(state providerv1.HealthResponse_Status, message string) (*providerv1.HealthResponse, error) {
	return &providerv1.HealthResponse{Status: state, Message: message}, nil
}

// Shutdown lets go of the configuration and makes main leave; main waits until
// this answer is out. A second Shutdown finds nothing left to do.
func (s *server) Shutdown(context.Context, *providerv1.ShutdownRequest) (*providerv1.ShutdownResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.over, s.store = true, nil
		close(s.ended)
	}
	return &providerv1.ShutdownResponse{}, nil
}

func errOver() error {
	return status.Error(codes.FailedPrecondition, "the provider was shut down: start a new process")
}

// guard turns a panic, which would end the process and every other call, into an
// error of the one call. The panic's text may hold values and is not logged.
func guard(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
		defer func() {
			if recover() != nil {
				log.Error("panic", "method", info.FullMethod, "stack", string(debug.Stack()))
				err = status.Error(codes.Internal, "the provider has a bug: see its log")
			}
		}()
		response, err = handle(ctx, request)
		log.Debug("call", "method", info.FullMethod, "code", status.Code(err))
		return response, err
	}
}
