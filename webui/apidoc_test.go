//go:build !noweb

package webui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/webui/api"
)

// docs/api.md is the OpenAPI document for people.
func TestOpenAPIPageIsOfThisAPI(t *testing.T) {
	a, err := api.New(api.Config{Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var spec openAPI
	if err := json.Unmarshal(a.Spec(), &spec); err != nil {
		t.Fatal(err)
	}
	want := spec.page()
	name := filepath.Join("..", "docs", "api.md")
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/api.md does not match the API; run: go test ./webui -run OpenAPI -update")
	}
}

// openAPI is the part of an OpenAPI 3.1 document that the page shows.
type openAPI struct {
	Paths map[string]map[string]struct {
		Summary    string `json:"summary"`
		Parameters []struct {
			Name        string `json:"name"`
			In          string `json:"in"`
			Description string `json:"description"`
			Schema      schema `json:"schema"`
		} `json:"parameters"`
		RequestBody content            `json:"requestBody"`
		Responses   map[string]content `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type content struct {
	Content map[string]struct {
		Schema schema `json:"schema"`
	} `json:"content"`
}

// is names the type of a body, with a link if it is one of the page.
func (c content) is() string {
	all := slices.Sorted(maps.Keys(c.Content))
	if len(all) == 0 {
		return ""
	}
	if json, ok := c.Content["application/json"]; ok {
		return json.Schema.is()
	}
	return "`" + strings.Join(all, "`, `") + "`"
}

type schema struct {
	Ref         string            `json:"$ref"`
	Type        any               `json:"type"` // a string or a list of them
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Enum        []any             `json:"enum"`
	Items       *schema           `json:"items"`
	Additional  any               `json:"additionalProperties"`
	Properties  map[string]schema `json:"properties"`
	Required    []string          `json:"required"`
}

func (s schema) is() string {
	if s.Ref != "" {
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	}
	kind := ""
	switch t := s.Type.(type) {
	case string:
		kind = t
	case []any:
		for _, one := range t {
			if one != "null" {
				kind = fmt.Sprint(one)
			}
		}
	}
	switch {
	case s.Items != nil:
		return "list of " + s.Items.is()
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(values, ", ")
	case s.Format == "date-time":
		return "time"
	case kind == "integer", kind == "number", kind == "boolean", kind == "string":
		return kind
	}
	if of, ok := s.Additional.(map[string]any); ok {
		b, _ := json.Marshal(of)
		var value schema
		if json.Unmarshal(b, &value) == nil {
			return "map of names to " + value.is()
		}
	}
	return "any value"
}

const apiIntroduction = `# The API

The page and the command line use this interface of a node. Programs can use it, too. It is
below ` + "`/api/v1`" + ` on the control socket (` + "`shoal.sock`" + ` in the state directory), where no
sign-in is needed, and at the address of the page (` + "`--web`" + `), where a program sends a
token that was created in Settings: ` + "`Authorization: Bearer shoal_…`" + `.

    curl --unix-socket ~/.local/state/shoal/shoal.sock http://shoal/api/v1/transfers

- Bodies are JSON (` + "`application/json`" + `), sizes are bytes, rates bytes per second,
  times RFC 3339, IDs hex digits.
- A failure is a problem document (RFC 9457) with a stable ` + "`code`" + `.
- Later releases only add operations and keys to v1. Ignore keys that you do not know.
- Adding the same content twice gives the same transfer.
- A node serves the OpenAPI 3.1 document at ` + "`/api/v1/openapi.json`" + `; this page is generated from
  it.

[share.py](examples/share.py) shares and downloads with Python's standard library,
[share.go](examples/share.go) does the same with the client for Go, and
` + "`go doc -all github.com/shoalnet/shoal/webui/api`" + ` documents that client.
`

// page writes the document as Markdown: the operations by what they are about, then the types.
func (o openAPI) page() []byte {
	var b bytes.Buffer
	b.WriteString(apiIntroduction)
	about := ""
	for _, path := range slices.Sorted(maps.Keys(o.Paths)) {
		short := strings.TrimPrefix(path, "/api/v1/")
		if first, _, _ := strings.Cut(short, "/"); first != about {
			about = first
			fmt.Fprintf(&b, "\n## %s\n\n| request | does | query | body | answer |\n|---|---|---|---|---|\n", about)
		}
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			op, ok := o.Paths[path][method]
			if !ok {
				continue
			}
			var query []string
			for _, p := range op.Parameters {
				if p.In == "query" {
					query = append(query, "`"+p.Name+"`"+prefixed(": ", p.Description))
				}
			}
			fmt.Fprintf(&b, "| `%s /%s` | %s | %s | %s | %s |\n",
				strings.ToUpper(method), short, op.Summary, strings.Join(query, "<br>"), op.RequestBody.is(), op.Responses["200"].is())
		}
	}
	b.WriteString("\n## Types\n")
	for _, name := range slices.Sorted(maps.Keys(o.Components.Schemas)) {
		s := o.Components.Schemas[name]
		fmt.Fprintf(&b, "\n### %s\n\n%s", name, s.Description)
		if s.Description != "" {
			b.WriteString("\n\n")
		}
		if len(s.Properties) == 0 {
			b.WriteString(s.is() + "\n")
			continue
		}
		b.WriteString("| key | is | |\n|---|---|---|\n")
		for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
			p := s.Properties[key]
			always := ""
			if !slices.Contains(s.Required, key) {
				always = "optional"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, p.is(), strings.Trim(p.Description+prefixed("; ", always), "; "))
		}
	}
	return b.Bytes()
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
