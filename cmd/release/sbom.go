package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

// sboms lists the modules in each binary of dist/, as the linker has written them there.
func (r *release) sboms() error {
	binaries, err := filepath.Glob(filepath.Join(r.dist, "shoal-*-*[0-9e]"))
	if err != nil {
		return err
	}
	for _, binary := range binaries {
		generator, err := bin.NewGenerator(binary, bin.WithVersionOverride(r.version), bin.WithIncludeStdlib(true), bin.WithLogger(zerolog.Nop()))
		if err != nil {
			return fmt.Errorf("the SBOM of %s: %w", binary, err)
		}
		bom, err := generator.Generate()
		if err != nil {
			return fmt.Errorf("the SBOM of %s: %w", binary, err)
		}
		var b bytes.Buffer
		if err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
			return fmt.Errorf("writing the SBOM of %s: %w", binary, err)
		}
		name := strings.TrimSuffix(binary, ".exe") + ".cdx.json"
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Printf("dist/%s\n", filepath.Base(name))
	}
	return nil
}
