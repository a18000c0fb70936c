// Whether a file is a dashboard of Grafana's: read strictly into the types that Grafana itself publishes (its foundation SDK),
// with those of each panel's own options, and held to what they say of values. A field that is not theirs is an error.
//
//	lockstep-dashboard FILE
//
// It prints how many panels there are, or what is wrong and ends with 1.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("lockstep-dashboard: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: lockstep-dashboard FILE")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	plugins.RegisterDefaultPlugins()
	// Where all is well this returns a list without errors, which is not nil, and keeps no panels: it only finds what is wrong.
	var strict dashboard.Dashboard
	var wrong cog.BuildErrors
	if err := strict.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &wrong) || len(wrong) > 0) {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	var found dashboard.Dashboard
	if err := json.Unmarshal(text, &found); err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	if err := found.Validate(); err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	if newest := dashboard.NewDashboard().SchemaVersion; found.SchemaVersion != newest {
		log.Fatalf("%s: schemaVersion is %d, and Grafana's %d", os.Args[1], found.SchemaVersion, newest)
	}
	panels := 0
	for _, one := range found.Panels {
		if one.Panel == nil {
			continue
		}
		panels++
		if err := known(*one.Panel); err != nil {
			log.Fatalf("%s: panel %q: %v", os.Args[1], *one.Panel.Title, err)
		}
	}
	fmt.Println(panels)
}

// What nobody knows the types of is taken for anything by the types themselves.
func known(panel dashboard.Panel) error {
	if _, ok := cog.ConfigForPanelcfgVariant(panel.Type); !ok {
		return fmt.Errorf("Grafana has no type of panel %q", panel.Type)
	}
	for _, target := range panel.Targets {
		if _, ok := target.(variants.UnknownDataquery); ok || target.DataqueryType() != "prometheus" {
			text, _ := json.Marshal(target)
			return fmt.Errorf("no query of Prometheus: %s", text)
		}
	}
	return nil
}
