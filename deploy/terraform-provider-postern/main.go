// Command terraform-provider-postern lets Terraform and OpenTofu make owners, roles and keys of Postern. Of a key its
// state has the digest alone.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
)

func main() {
	err := providerserver.Serve(context.Background(), newProvider, providerserver.ServeOpts{
		Address: "registry.terraform.io/postern-dev/postern",
	})
	if err != nil {
		log.Fatal(err)
	}
}
