package api

import (
	"context"
	"net/http"
	"time"

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
	// unless a flag, variable or the file sets them. Concurrent changes of the two
	// directions both take effect.
	ChangeLimits(share.LimitChange) error

	// ExportSettings returns a configuration file of the settings that differ from
	// the defaults, without listeners and credentials.
	ExportSettings() ([]byte, error)
	// CompareSettings says what the settings of a configuration file would change.
	CompareSettings(file string) Import

	// Restarting says what a restart would change, and whether the last start
	// failed.
	Restarting() Restart
	// Restart checks the saved settings, and then stops the node and starts it again
	// with them. It returns before the node stops.
	Restart() error
	// ForgetFailed removes the failed start that Restarting reports.
	ForgetFailed() error
}

// The sources of a setting, the strongest first.
const (
	SourceFlag    = "flag"
	SourceEnv     = "environment"
	SourceSaved   = "saved" // set while running, kept in the state
	SourceFile    = "file"  // overrides values saved before the file set it
	SourceDefault = "default"
)

// Setting is one setting of the node, with its value and the source of the value.
type Setting struct {
	Name    string   `json:"name"`
	Value   string   `json:"value" doc:"value as a user would write it; the elements of a list are separated by commas"`
	Values  []string `json:"values,omitempty" doc:"elements of a list"`
	Default string   `json:"default"`
	Source  string   `json:"source" enum:"flag,environment,file,saved,default"`
	Where   string   `json:"where,omitempty" doc:"name of the flag, the variable or the file; for a saved value, name of the file that has another value"`
	// File is the value in the configuration file if a saved value overrides it.
	File    *string  `json:"file,omitempty" doc:"for a saved value that overrides the file: the value in the file"`
	Help    string   `json:"help"`
	Live    bool     `json:"live" doc:"a change takes effect without a restart"`
	Group   string   `json:"group" enum:"downloads,speed,network,seeding,folders,access,expert"`
	Kind    string   `json:"kind" enum:"switch,number,rate,size,choice,folder,goal,schedule,text" doc:"how to write the value, or an element of a list"`
	List    bool     `json:"list" doc:"any number of elements; PATCH /config takes them separated by semicolons"`
	Choices []string `json:"choices,omitempty" doc:"the allowed values of a choice"`
	// Next is the value at the next start, if it differs.
	Next *NextSetting `json:"next,omitempty" doc:"value at the next start of the node, if it differs"`
	// Guarded settings open the node to other machines or name credentials.
	Guarded bool `json:"guarded" doc:"the API cannot change it; only a flag, a variable or the file can"`
	// Writable is also false if a flag or a variable sets the value: they override saved
	// values.
	Writable bool `json:"writable" doc:"the API can change it"`
}

// The kinds of values.
const (
	KindSwitch   = "switch"
	KindNumber   = "number"
	KindRate     = "rate"
	KindSize     = "size"
	KindChoice   = "choice"
	KindFolder   = "folder"
	KindGoal     = "goal"
	KindSchedule = "schedule"
	KindText     = "text"
)

// NextSetting is the value of a setting at the next start of the node.
type NextSetting struct {
	Value  string   `json:"value"`
	Values []string `json:"values,omitempty"`
	Source string   `json:"source" enum:"flag,environment,file,saved,default"`
	Where  string   `json:"where,omitempty"`
	File   *string  `json:"file,omitempty" doc:"for a saved value that overrides the file: the value in the file"`
}

// Import lists what the settings of a configuration file would change.
type Import struct {
	Changes []ImportChange  `json:"changes" nullable:"false"`
	Refused []ImportRefusal `json:"refused" nullable:"false" doc:"lines that cannot be imported"`
	Same    int             `json:"same" doc:"number of settings that already have these values"`
}

// ImportChange is one setting that would change.
type ImportChange struct {
	Line int    `json:"line"`
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
	Set  string `json:"set" doc:"value for PATCH /config that makes this change"`
	Live bool   `json:"live" doc:"it takes effect without a restart"`
}

// ImportRefusal is a line that cannot be imported.
type ImportRefusal struct {
	Line int    `json:"line" doc:"from 1; 0 if unknown"`
	Name string `json:"name,omitempty"`
	Why  string `json:"why"`
	// WhyText is Why for other languages.
	WhyText *share.Text `json:"why_text,omitempty"`
}

// Restart lists what a restart of the node would change.
type Restart struct {
	Can     bool         `json:"can" doc:"POST /restart restarts this node; a node that a command runs for itself ends with the command"`
	Pending []string     `json:"pending" nullable:"false" doc:"names of the settings whose new value needs a restart"`
	Failed  *FailedStart `json:"failed,omitempty" doc:"the last start that failed because of saved settings"`
}

// FailedStart is a start that failed because of saved settings. The node then started
// with the settings of the start before.
type FailedStart struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error"`
	// ErrorText is Error for other languages.
	ErrorText *share.Text       `json:"error_text,omitempty"`
	Settings  map[string]string `json:"settings" doc:"saved settings that were dropped"`
}

// configFile is the text of a configuration file.
type configFile struct {
	Text string `json:"text" maxLength:"1000000" doc:"TOML"`
}

// Limits are those of the whole node.
type Limits struct {
	share.Limits
	// Now are the limits in effect: a schedule or a congested line may lower the
	// ones that were set.
	Now    share.Limits `json:"now"`
	Reason string       `json:"reason,omitempty" doc:"why now differs from the limits that were set"`
	// ReasonText is Reason for other languages.
	ReasonText *share.Text `json:"reason_text,omitempty"`
	Source     string      `json:"source" doc:"source of the limits that were set"`
}

type settingName struct {
	Name string `path:"name" maxLength:"64"`
}

func registerSettings(h huma.API, s Settings) {
	op(h, "GET /config", "List the settings with their sources", func(context.Context, *none) (*answer[[]Setting], error) {
		return &answer[[]Setting]{orEmpty(s.Settings())}, nil
	})
	op(h, "PATCH /config", "Change settings, all or none; settings that are not live take effect at the next start",
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

	op(h, "GET /config/export", "Export the settings that differ from the defaults as a configuration file, without listeners and credentials",
		func(context.Context, *none) (*huma.StreamResponse, error) {
			b, err := s.ExportSettings()
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(ctx huma.Context) {
				ctx.SetHeader("Content-Type", "application/toml")
				ctx.SetHeader("Content-Disposition", `attachment; filename="shoal.toml"`)
				_, _ = ctx.BodyWriter().Write(b) // the reader may have gone
			}}, nil
		}, streams("application/toml"))
	op(h, "POST /config/compare", "Show what the settings in a configuration file would change", func(_ context.Context, in *body[configFile]) (*answer[Import], error) {
		return &answer[Import]{s.CompareSettings(in.Body.Text)}, nil
	})
	op(h, "GET /restart", "Show what a restart would change", func(context.Context, *none) (*answer[Restart], error) {
		r := s.Restarting()
		r.Pending = orEmpty(r.Pending)
		return &answer[Restart]{r}, nil
	})
	op(h, "POST /restart", "Stop the node and start it again with the saved settings", func(context.Context, *none) (*none, error) {
		return nil, s.Restart()
	})
	op(h, "DELETE /restart", "Clear the record of the failed start", func(context.Context, *none) (*none, error) {
		return nil, s.ForgetFailed()
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

// Restarting says what a restart of the node would change.
func (c *Client) Restarting(ctx context.Context) (Restart, error) {
	return get[Restart](ctx, c, "/restart")
}

// Restart stops the node and starts it again with the saved settings.
func (c *Client) Restart(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, Base+"/restart", nil, nil)
}
