package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/compute-in-go/internal/providerv1"
	"example.com/compute-in-go/internal/providerv2"
)

// vectors is testdata/compute.json: a copy of the golden vectors that come with
// pytest-nomos (nomos_contracts/vectors/compute.json).
type vectors struct {
	Requests []struct{ Name, Function, Hex string }
	Answers  []struct{ Name, Function, Hex string }
	Refused  []struct{ Function, Where, What, Hex string }
	Errors   []struct {
		Code, Status, Category string
		Retryable              bool
	}
}

func golden(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/compute.json")
	if err != nil {
		t.Fatal(err)
	}
	var found vectors
	if err := json.Unmarshal(data, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func unhex[M proto.Message](t *testing.T, text string, message M) M {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(data, message); err != nil {
		t.Fatal(err)
	}
	return message
}

func initialised(t *testing.T, settings map[string]any) *functions {
	t.Helper()
	config, err := structpb.NewStruct(settings)
	if err != nil {
		t.Fatal(err)
	}
	service := newServer(slog.New(slog.DiscardHandler))
	if _, err := service.Init(context.Background(), &providerv1.InitRequest{Alias: "test", Config: config}); err != nil {
		t.Fatal(err)
	}
	return &functions{server: service}
}

func detail(t *testing.T, err error) *providerv2.ErrorDetail {
	t.Helper()
	for _, one := range status.Convert(err).Details() {
		if found, ok := one.(*providerv2.ErrorDetail); ok {
			return found
		}
	}
	t.Fatalf("%v carries no ErrorDetail", err)
	return nil
}

// Each request of the vectors can be read: it is answered, or refused for what it
// asks for, and never for its shape.
func TestRequestsAreRead(t *testing.T) {
	for _, one := range golden(t).Requests {
		t.Run(one.Name, func(t *testing.T) {
			request := unhex(t, one.Hex, &providerv2.CallRequest{})
			found, mine := methods[request.GetFunction()]
			if !mine {
				_, err := initialised(t, nil).Call(context.Background(), request)
				if code := detail(t, err).GetCode(); code != "UNSUPPORTED_OPERATION" {
					t.Fatalf("a method that is not here: %s", code)
				}
				return
			}
			arguments := &record{fields: request.GetArgs(), known: map[string]bool{}, problem: new(error)}
			made, err := newCloud(nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := found.run(made, arguments); *arguments.problem != nil {
				t.Fatalf("not read: %v (%v)", *arguments.problem, err)
			}
		})
	}
}

func TestWrongShapesAreRefused(t *testing.T) {
	provider := initialised(t, nil)
	for _, one := range golden(t).Refused {
		if _, mine := methods[one.Function]; !mine {
			continue
		}
		t.Run(one.Function+" "+one.Where+" "+one.What, func(t *testing.T) {
			_, err := provider.Call(context.Background(), unhex(t, one.Hex, &providerv2.CallRequest{}))
			if status.Code(err) != codes.InvalidArgument {
				t.Fatalf("want INVALID_ARGUMENT, got %v", err)
			}
			if code := detail(t, err).GetCode(); code != "INVALID_SPEC" {
				t.Fatalf("want INVALID_SPEC, got %s", code)
			}
		})
	}
}

func TestAnswersCanBeRead(t *testing.T) {
	for _, one := range golden(t).Answers {
		if unhex(t, one.Hex, &providerv2.CallResponse{}).GetResult().GetKind() == nil {
			t.Errorf("%s: a value without a kind", one.Name)
		}
	}
}

func TestTaxonomyIsThatOfTheVectors(t *testing.T) {
	known := make(map[string]kind)
	for _, one := range golden(t).Errors {
		var code codes.Code
		if err := code.UnmarshalJSON([]byte(`"` + one.Status + `"`)); err != nil {
			t.Fatal(err)
		}
		known[one.Code] = kind{code, one.Category, one.Retryable}
	}
	for code, mine := range taxonomy {
		if known[code] != mine {
			t.Errorf("%s: %v here, %v in the vectors", code, mine, known[code])
		}
	}
}

func TestBeforeInitNothingIsCalled(t *testing.T) {
	provider := &functions{server: newServer(slog.New(slog.DiscardHandler))}
	_, err := provider.Call(context.Background(), &providerv2.CallRequest{Interface: interfaceName, Function: "list"})
	if status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("want FAILED_PRECONDITION, got %v", err)
	}
	if code := detail(t, err).GetCode(); code != "INVALID_STATE" {
		t.Fatalf("want INVALID_STATE, got %s", code)
	}
}

func TestCapacityIsKept(t *testing.T) {
	provider := initialised(t, map[string]any{"capacity": 1})
	request := unhex(t, spawnRequest(t), &providerv2.CallRequest{})
	options := request.GetArgs()["options"].GetMapValue().GetFields()
	options["spec"] = text(specs[0])
	if _, err := provider.Call(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	_, err := provider.Call(context.Background(), request)
	if found := detail(t, err); found.GetCode() != "CAPACITY_ERROR" || found.GetProvider() != providerType {
		t.Fatalf("want CAPACITY_ERROR of %s, got %v", providerType, found)
	}
}

func spawnRequest(t *testing.T) string {
	t.Helper()
	for _, one := range golden(t).Requests {
		if one.Name == "spawn-least" {
			return one.Hex
		}
	}
	t.Fatal("there is no request spawn-least")
	return ""
}
