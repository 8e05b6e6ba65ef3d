package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// parse reads one JSON document. Numbers stay text until they are answered.
// Messages name a line and quote nothing: encoding/json would.
func parse(name string, text []byte) (any, error) {
	malformed := func(offset int64) error {
		line := 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
		return status.Errorf(codes.FailedPrecondition, "%s: no valid JSON at line %d; mend the file", shortened(name), line)
	}
	// encoding/json would replace what is no UTF-8, and the value would not be the file's.
	if !utf8.Valid(text) {
		return nil, status.Errorf(codes.FailedPrecondition, "%s: is not UTF-8; convert the file", shortened(name))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return nil, malformed(syntax.Offset)
		}
		return nil, malformed(int64(len(text)))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed(decoder.InputOffset())
	}
	return document, nil
}

// answer walks from a document to what the segments name.
func answer(document any, segments []string) (*structpb.Struct, error) {
	for _, segment := range segments {
		if segment == "*" { // the last one: checkPath saw to that
			fields, isMap := document.(map[string]any)
			if !isMap {
				return nil, status.Error(codes.NotFound, "*: what stands before it is no map; leave it out")
			}
			return toStruct(fields)
		}
		child, found := childOf(document, segment)
		if !found {
			return nil, status.Errorf(codes.NotFound, "%s: no such key or index in the file", shortened(segment))
		}
		document = child
	}
	if fields, isMap := document.(map[string]any); isMap {
		return toStruct(fields)
	}
	// What is no map travels as the one-key map that callers unwrap.
	return toStruct(map[string]any{"value": document})
}

// childOf takes one step: a key, a key with indexes as in `y[0]`, or, for a list,
// indexes alone. A key that is really called `y[0]` goes first.
func childOf(parent any, segment string) (any, bool) {
	name, indexes := "", segment
	if fields, isMap := parent.(map[string]any); isMap {
		if child, found := fields[segment]; found {
			return child, true
		}
		name, indexes = splitIndexes(segment)
		var found bool
		if parent, found = fields[name]; !found || indexes == "" {
			return nil, false
		}
	} else if name, indexes = splitIndexes(segment); name != "" || indexes == "" {
		return nil, false
	}
	for _, digits := range strings.FieldsFunc(indexes, func(r rune) bool { return r == '[' || r == ']' }) {
		items, isList := parent.([]any)
		index, err := strconv.Atoi(digits)
		if !isList || err != nil || index >= len(items) {
			return nil, false
		}
		parent = items[index]
	}
	return parent, true
}

var indexed = regexp.MustCompile(`^([^\[\]]*)((?:\[[0-9]+\])+)$`)

// splitIndexes takes `y[0][1]` apart into `y` and `[0][1]`; both are empty for a
// segment without indexes.
func splitIndexes(segment string) (name, indexes string) {
	if parts := indexed.FindStringSubmatch(segment); parts != nil {
		return parts[1], parts[2]
	}
	return "", ""
}

// toStruct turns a JSON map into what the protocol carries.
func toStruct(fields map[string]any) (*structpb.Struct, error) {
	result := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(fields))}
	for key, item := range fields {
		value, err := toValue(key, item)
		if err != nil {
			return nil, err
		}
		result.Fields[key] = value
	}
	return result, nil
}

func toValue(key string, item any) (*structpb.Value, error) {
	switch item := item.(type) {
	case nil:
		return structpb.NewNullValue(), nil
	case bool:
		return structpb.NewBoolValue(item), nil
	case string:
		return structpb.NewStringValue(item), nil
	case json.Number:
		number, exact := toNumber(item.String())
		if !exact {
			return nil, status.Errorf(codes.FailedPrecondition,
				"%s: the number does not fit the protocol, which has doubles only; write it as a string", shortened(key))
		}
		return structpb.NewNumberValue(number), nil
	case []any:
		list := &structpb.ListValue{Values: make([]*structpb.Value, len(item))}
		for i, element := range item {
			value, err := toValue(key, element)
			if err != nil {
				return nil, err
			}
			list.Values[i] = value
		}
		return structpb.NewListValue(list), nil
	case map[string]any:
		fields, err := toStruct(item)
		if err != nil {
			return nil, err
		}
		return structpb.NewStructValue(fields), nil
	default:
		return nil, status.Errorf(codes.Internal, "%s: holds what JSON has not", shortened(key))
	}
}

// toNumber refuses an integer that a double would change, for instance 2^53+1,
// and what is too large for a double.
func toNumber(text string) (float64, bool) {
	if integer, isInteger := new(big.Int).SetString(text, 10); isInteger {
		number, accuracy := new(big.Float).SetInt(integer).Float64()
		return number, accuracy == big.Exact
	}
	number, err := strconv.ParseFloat(text, 64)
	return number, err == nil && !math.IsInf(number, 0)
}
