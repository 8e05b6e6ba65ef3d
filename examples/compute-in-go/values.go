package main

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/compute-in-go/internal/providerv2"
)

// kind of a code of the taxonomy: its gRPC status, category, whether a retry helps.
type kind struct {
	status    codes.Code
	category  string
	retryable bool
}

var taxonomy = map[string]kind{
	"CAPACITY_ERROR":        {codes.ResourceExhausted, "capacity", true},
	"INVALID_SPEC":          {codes.InvalidArgument, "validation", false},
	"NOT_FOUND":             {codes.NotFound, "not_found", false},
	"INVALID_STATE":         {codes.FailedPrecondition, "conflict", false},
	"UNSUPPORTED_OPERATION": {codes.Unimplemented, "validation", false},
	"PROVIDER_INTERNAL":     {codes.Internal, "internal", false},
}

// failure is an error of the taxonomy: a status with an ErrorDetail. Its message
// names keys, never values of an environment or a token.
func failure(code, format string, args ...any) error {
	of := taxonomy[code]
	plain := status.New(of.status, fmt.Sprintf(format, args...))
	detailed, err := plain.WithDetails(&providerv2.ErrorDetail{
		Code: code, Category: of.category, Retryable: of.retryable, Provider: providerType,
	})
	if err != nil {
		return plain.Err()
	}
	return detailed.Err()
}

// shortened cuts what a caller sent, so that a message stays short.
func shortened(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}

// record reads a map strictly: every field is asked for by its kind, and end
// refuses what is left. The first problem stays; reading goes on with zero values.
type record struct {
	fields  map[string]*providerv2.Value
	place   string
	known   map[string]bool
	problem *error
}

func (r *record) at(name string) string {
	if r.place == "" {
		return name
	}
	return r.place + "." + name
}

func (r *record) refuse(name, reason string) {
	if *r.problem == nil {
		*r.problem = failure("INVALID_SPEC", "%s: %s", shortened(r.at(name)), reason)
	}
}

// field returns a field, nil where it is absent.
func (r *record) field(name string, needed bool) *providerv2.Value {
	r.known[name] = true
	found := r.fields[name]
	if _, isNull := found.GetKind().(*providerv2.Value_NullValue); isNull {
		found = nil
	}
	if found == nil && needed {
		r.refuse(name, "is needed")
	}
	return found
}

// end returns the first problem, an unknown field among them.
func (r *record) end() error {
	for name := range r.fields {
		if !r.known[name] {
			r.refuse(name, "there is no such field")
		}
	}
	return *r.problem
}

func (r *record) text(name string) string { return valueOf(r.maybeText(name, true)) }

func (r *record) maybeText(name string, needed bool) *string {
	found := r.field(name, needed)
	if found == nil {
		return nil
	}
	text, ok := found.GetKind().(*providerv2.Value_StringValue)
	if !ok || !utf8.ValidString(text.StringValue) {
		r.refuse(name, "must be a text")
		return nil
	}
	return &text.StringValue
}

func (r *record) word(name string, needed bool, words ...string) string {
	found := r.maybeText(name, needed)
	if found == nil {
		return ""
	}
	for _, word := range words {
		if *found == word {
			return word
		}
	}
	r.refuse(name, fmt.Sprintf("must be one of %v", words))
	return ""
}

func (r *record) maybeWhole(name string, needed bool) *int64 {
	found := r.field(name, needed)
	if found == nil {
		return nil
	}
	whole, ok := found.GetKind().(*providerv2.Value_IntValue)
	if !ok {
		r.refuse(name, "must be a whole number")
		return nil
	}
	return &whole.IntValue
}

func (r *record) maybeNumber(name string) {
	switch number := r.field(name, false).GetKind().(type) {
	case nil, *providerv2.Value_IntValue:
	case *providerv2.Value_DoubleValue:
		if math.IsNaN(number.DoubleValue) || math.IsInf(number.DoubleValue, 0) {
			r.refuse(name, "must be a finite number")
		}
	default:
		r.refuse(name, "must be a number")
	}
}

func (r *record) truth(name string) bool {
	switch truth := r.field(name, false).GetKind().(type) {
	case nil:
		return false
	case *providerv2.Value_BoolValue:
		return truth.BoolValue
	}
	r.refuse(name, "must be true or false")
	return false
}

// list returns the items of a list, nil where it is absent.
func (r *record) list(name string, needed bool) []*providerv2.Value {
	found := r.field(name, needed)
	if found == nil {
		return nil
	}
	items, ok := found.GetKind().(*providerv2.Value_ListValue)
	if !ok {
		r.refuse(name, "must be a list")
		return nil
	}
	return items.ListValue.GetValues()
}

// inner returns the record in a field, nil where it is absent.
func (r *record) inner(name string, needed bool) *record {
	found := r.field(name, needed)
	if found == nil {
		return nil
	}
	return r.item(name, found)
}

// item returns a value, which belongs to the field of that name, as a record.
func (r *record) item(name string, value *providerv2.Value) *record {
	fields, ok := value.GetKind().(*providerv2.Value_MapValue)
	if !ok {
		r.refuse(name, "must be a map")
		return &record{place: r.at(name), known: map[string]bool{}, problem: r.problem}
	}
	return &record{fields: fields.MapValue.GetFields(), place: r.at(name), known: map[string]bool{}, problem: r.problem}
}

// texts returns a map from text to text.
func (r *record) texts(name string) map[string]string {
	inner := r.inner(name, false)
	if inner == nil {
		return nil
	}
	found := make(map[string]string, len(inner.fields))
	for key := range inner.fields {
		found[key] = inner.text(key)
	}
	return found
}

func valueOf[T any](pointer *T) T {
	if pointer == nil {
		var zero T
		return zero
	}
	return *pointer
}

func null() *providerv2.Value {
	return &providerv2.Value{Kind: &providerv2.Value_NullValue{}}
}

func text(value string) *providerv2.Value {
	return &providerv2.Value{Kind: &providerv2.Value_StringValue{StringValue: value}}
}

func whole(value int64) *providerv2.Value {
	return &providerv2.Value{Kind: &providerv2.Value_IntValue{IntValue: value}}
}

func truth(value bool) *providerv2.Value {
	return &providerv2.Value{Kind: &providerv2.Value_BoolValue{BoolValue: value}}
}

func listOf(items ...*providerv2.Value) *providerv2.Value {
	return &providerv2.Value{Kind: &providerv2.Value_ListValue{ListValue: &providerv2.ListValue{Values: items}}}
}

func mapOf(fields map[string]*providerv2.Value) *providerv2.Value {
	return &providerv2.Value{Kind: &providerv2.Value_MapValue{MapValue: &providerv2.MapValue{Fields: fields}}}
}
