package node

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/webui/api"
)

// Each field of a request reaches the engine, except for those named here, which the node
// itself handles.
func TestNoFieldOfARequestIsLost(t *testing.T) {
	c := &config.Config{Downloads: "/downloads", Seed: share.Goal{Ratio: 2}}
	checkFields(t, func(r api.ShareRequest) engine.ShareRequest { return shareRequest(c, engine.User, r) },
		"Plain",   // see TestTheSettingSealsUnlessTheRequestSaysOtherwise
		"Confirm", // see withheld
		"Keep")    // decides the owner
	checkFields(t, func(r api.FetchRequest) engine.FetchRequest { return fetchRequest(c, share.Link{}, nil, r) },
		"Link", "Torrent") // see source
}

func TestTheSettingSealsUnlessTheRequestSaysOtherwise(t *testing.T) {
	sealed, plain := api.ShareRequest{Plain: false}, api.ShareRequest{Plain: true}
	sealed.Sealed = true
	for _, tt := range []struct {
		setting bool
		r       api.ShareRequest
		want    bool
	}{
		{false, api.ShareRequest{}, false}, {false, plain, false}, {false, sealed, true},
		{true, api.ShareRequest{}, true}, {true, plain, false}, {true, sealed, true},
	} {
		if got := shareRequest(&config.Config{Sealed: tt.setting}, engine.User, tt.r).Sealed; got != tt.want {
			t.Errorf("setting %v, request sealed %v and plain %v: %v", tt.setting, tt.r.Sealed, tt.r.Plain, got)
		}
	}
}

// checkFields sets one field of a request after the other. Each must change the result of
// convert.
func checkFields[R, Q any](t *testing.T, convert func(R) Q, own ...string) {
	t.Helper()
	var none R
	before := convert(none)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[R]()) {
		if f.Anonymous || slices.Contains(own, f.Name) {
			continue
		}
		var r R
		set(t, reflect.ValueOf(&r).Elem().FieldByIndex(f.Index))
		if cmp.Equal(before, convert(r)) {
			t.Errorf("%T: %s does not reach the engine", r, f.Name)
		}
	}
}

// set gives v a value that is not zero.
func set(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(time.Second))
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.String:
		v.SetString("x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Struct:
		set(t, v.Field(0))
	default:
		t.Fatalf("there is no value of %s to test with", v.Type())
	}
}
