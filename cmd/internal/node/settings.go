package node

import (
	"sync"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Settings = (*settings)(nil)

// settings changes the settings of a running node, one change at a time.
type settings struct {
	live    *config.Live
	limiter *policy.Limiter
	apply   func() // puts the configuration in force into effect

	changing sync.Mutex
}

// Settings lists the settings. The limits may have been changed by themselves.
func (s *settings) Settings() []api.Setting {
	view := s.live.Current().View()
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
	limits, err := s.live.Change(changes)
	if err != nil {
		return err
	}
	s.apply()
	if limits == (share.LimitChange{}) {
		return nil
	}
	return s.limiter.Change(limits)
}

func (s *settings) Limits() api.Limits                     { return s.limiter.Limits() }
func (s *settings) ChangeLimits(c share.LimitChange) error { return s.limiter.Change(c) }

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
