package node

import (
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Settings = (*settings)(nil)

// settings changes the settings of a running node, one change at a time.
type settings struct {
	live     *config.Live
	limiter  *policy.Limiter
	examiner *examiner
	now      func() time.Time
	apply    func()                         // puts the configuration in force into effect
	load     func() (*config.Config, error) // reads it again; nil if the node cannot be restarted
	follow   func(*config.Config)           // ends this node for another one

	changing sync.Mutex
	ending   bool // follow was called
}

// Settings lists the settings. The limits may have been changed by themselves.
func (s *settings) Settings() []api.Setting {
	view := s.live.View()
	l := s.limiter.Limits()
	down, up := s.limiter.Chosen()
	for i := range view {
		switch v := &view[i]; {
		case v.Name == "up" && up:
			v.Value, v.Source, v.Where = config.SizeWord(l.Up), api.SourceSaved, ""
		case v.Name == "down" && down:
			v.Value, v.Source, v.Where = config.SizeWord(l.Down), api.SourceSaved, ""
		}
	}
	return view
}

func (s *settings) ChangeSettings(changes map[string]*string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.ending {
		return errEnding
	}
	limits, err := s.live.Change(changes, s.examiner.allows)
	if err != nil {
		return err
	}
	s.apply()
	if limits == (share.LimitChange{}) {
		return nil
	}
	return s.limiter.Change(limits)
}

var errEnding = share.Errorf(share.NoNode, "the node is being restarted: try again in a moment")

func (s *settings) Limits() api.Limits                     { return s.limiter.Limits() }
func (s *settings) ChangeLimits(c share.LimitChange) error { return s.limiter.Change(c) }

func (s *settings) ExportSettings() ([]byte, error)        { return config.Export(s.Settings()) }
func (s *settings) CompareSettings(file string) api.Import { return s.live.Compare(file, s.Settings()) }

func (s *settings) Restarting() api.Restart {
	r := api.Restart{Can: s.load != nil, Pending: s.live.Pending()}
	if f := s.live.Failed(); f != nil {
		r.Failed = &api.FailedStart{Time: f.Time, Error: f.Error, ErrorText: f.Text().Of(), Settings: map[string]string{}}
		for name, words := range f.Settings {
			r.Failed.Settings[name] = strings.Join(words, ", ")
		}
	}
	return r
}

// Restart refuses settings that the next node is known not to start with. Others may turn
// out to be wrong when it starts: see config.Live.FallBack.
func (s *settings) Restart() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.load == nil {
		return share.Errorf(share.Failed, "this node ends with the command that runs it: only a node that shoal daemon runs can be restarted here")
	}
	if s.ending {
		return nil
	}
	c, err := s.load()
	if err == nil {
		err = s.examiner.allows(s.live.After(c))
	}
	if err != nil {
		return share.Errorf(share.Usage, "the node was not restarted: %w", err)
	}
	s.ending = true
	s.follow(c)
	return nil
}

func (s *settings) ForgetFailed() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.live.Forget()
}

// reload puts a configuration that was read again into effect. It returns the names of
// the changed settings that need a restart.
func (s *settings) reload(c *config.Config) (restart []string) {
	s.changing.Lock()
	defer s.changing.Unlock()
	restart = s.live.Reload(c)
	s.limiter.Reread()
	s.apply()
	return restart
}
