// Command pulumi-resource-kubernetes serves Pulumi's Kubernetes provider.
//
// The provider's own command embeds files that its build generates, and its module has none of them. This one reads
// schema.json and version from beside the executable, where the build has put them.
package main

import (
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

func main() {
	executable, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	folder := filepath.Dir(executable)
	schema, err := os.ReadFile(filepath.Join(folder, "schema.json"))
	if err != nil {
		log.Fatal(err)
	}
	version, err := os.ReadFile(filepath.Join(folder, "version"))
	if err != nil {
		log.Fatal(err)
	}
	// An engine that was killed does not tell its plugins to end.
	engine := os.Getppid()
	go func() {
		for range time.Tick(time.Second) {
			if os.Getppid() != engine {
				os.Exit(1)
			}
		}
	}()
	provider.Serve("kubernetes", strings.TrimSpace(string(version)), schema, nil)
}
