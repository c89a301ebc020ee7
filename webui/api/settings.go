package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Settings is the port to the node's settings and its limits, which are settings
// that a schedule can lower.
type Settings interface {
	Settings() []Setting
	// ChangeSettings saves values across restarts; nil resets a setting. Either all
	// values are changed or none.
	ChangeSettings(map[string]*string) error

	Limits() Limits
	// ChangeLimits changes the limits of the node and keeps them across restarts
	// unless a flag, variable or the file sets them. Changes of the two directions
	// at the same moment both take effect.
	ChangeLimits(share.LimitChange) error
}

// The sources of a setting, the strongest first.
const (
	SourceFlag    = "flag"
	SourceEnv     = "environment"
	SourceFile    = "file"
	SourceSaved   = "saved" // set while running, kept in the state
	SourceDefault = "default"
)

// Setting is one setting of the node with its value and where that came from.
type Setting struct {
	Name    string   `json:"name"`
	Value   string   `json:"value" doc:"value in the form a user would write; a list is separated by commas"`
	Values  []string `json:"values,omitempty" doc:"elements of a list"`
	Default string   `json:"default"`
	Source  string   `json:"source" enum:"flag,environment,file,saved,default"`
	Where   string   `json:"where,omitempty" doc:"name of the flag, the variable or the file"`
	Help    string   `json:"help"`
	Live    bool     `json:"live" doc:"a change takes effect without a restart"`
	// Writable is also false if a flag, a variable or the file sets the value: they
	// override saved values.
	Writable bool `json:"writable" doc:"the API can change it"`
}

// Limits are those of the whole node.
type Limits struct {
	share.Limits
	// Now are the limits in effect: a schedule or a congested line may lower the
	// ones that were set.
	Now    share.Limits `json:"now"`
	Reason string       `json:"reason,omitempty" doc:"why now differs from the limits that were set"`
	Source string       `json:"source" doc:"source of the limits that were set"`
}

type settingName struct {
	Name string `path:"name" maxLength:"64"`
}

func registerSettings(h huma.API, s Settings) {
	op(h, "GET /config", "List the settings with their sources", func(context.Context, *none) (*answer[[]Setting], error) {
		return &answer[[]Setting]{orEmpty(s.Settings())}, nil
	})
	op(h, "PATCH /config", "Change settings that take effect at once; changes are kept across restarts",
		func(_ context.Context, in *body[map[string]string]) (*answer[[]Setting], error) {
			changes := make(map[string]*string, len(in.Body))
			for name, v := range in.Body {
				changes[name] = &v
			}
			if err := s.ChangeSettings(changes); err != nil {
				return nil, err
			}
			return &answer[[]Setting]{orEmpty(s.Settings())}, nil
		})
	op(h, "DELETE /config/{name}", "Reset a setting", func(_ context.Context, in *settingName) (*none, error) {
		return nil, s.ChangeSettings(map[string]*string{in.Name: nil})
	})

	change := func(c share.LimitChange) (*answer[Limits], error) {
		if err := c.Check(); err != nil {
			return nil, err
		}
		if err := s.ChangeLimits(c); err != nil {
			return nil, err
		}
		return &answer[Limits]{s.Limits()}, nil
	}
	op(h, "GET /limits", "Show the limits of the node", func(context.Context, *none) (*answer[Limits], error) {
		return &answer[Limits]{s.Limits()}, nil
	})
	op(h, "PUT /limits", "Set the limits of the node", func(_ context.Context, in *body[share.Limits]) (*answer[Limits], error) {
		return change(in.Body.Change())
	})
	op(h, "PATCH /limits", "Change the limits of the node in one direction or both", func(_ context.Context, in *body[share.LimitChange]) (*answer[Limits], error) {
		return change(in.Body)
	})
}

// Settings returns every setting with its value and source.
func (c *Client) Settings(ctx context.Context) ([]Setting, error) {
	return get[[]Setting](ctx, c, "/config")
}

// Limits returns the limits of the node.
func (c *Client) Limits(ctx context.Context) (Limits, error) { return get[Limits](ctx, c, "/limits") }

// SetGlobalLimits sets both limits of the node.
func (c *Client) SetGlobalLimits(ctx context.Context, l share.Limits) (Limits, error) {
	var out Limits
	err := c.do(ctx, http.MethodPut, Base+"/limits", l, &out)
	return out, err
}

// ChangeGlobalLimits changes one limit of the node or both.
func (c *Client) ChangeGlobalLimits(ctx context.Context, l share.LimitChange) (Limits, error) {
	var out Limits
	err := c.do(ctx, http.MethodPatch, Base+"/limits", l, &out)
	return out, err
}
