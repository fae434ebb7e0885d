package main

import (
	"context"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type postern struct{}

type settings struct {
	Address  types.String `tfsdk:"address"`
	AdminKey types.String `tfsdk:"admin_key"`
	CAFile   types.String `tfsdk:"ca_file"`
}

func newProvider() provider.Provider { return postern{} }

func (postern) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "postern"
}

func (postern) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		Description: "Owners, roles and API keys of Postern.",
		Attributes: map[string]schema.Attribute{
			"address": schema.StringAttribute{
				Optional:    true,
				Description: "Where the REST API listens, as in `https://postern.internal:8080`; else POSTERN_ADDRESS.",
			},
			"admin_key": schema.StringAttribute{
				Optional:    true,
				Sensitive:   true,
				Description: "An admin key with admin:read and admin:write; else POSTERN_ADMIN_KEY.",
			},
			"ca_file": schema.StringAttribute{
				Optional:    true,
				Description: "A file of certificates in PEM that the service's is checked against.",
			},
		},
	}
}

func (postern) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var said settings
	resp.Diagnostics.Append(req.Config.Get(ctx, &said)...)
	for name, value := range map[string]types.String{"address": said.Address, "admin_key": said.AdminKey} {
		if value.IsUnknown() {
			resp.Diagnostics.AddAttributeError(path.Root(name), "Not known yet",
				"Say what is known before the plan is made.")
		}
	}
	if resp.Diagnostics.HasError() {
		return
	}
	address := orVariable(said.Address, "POSTERN_ADDRESS")
	key := orVariable(said.AdminKey, "POSTERN_ADMIN_KEY")
	if address == "" {
		resp.Diagnostics.AddAttributeError(path.Root("address"), "No address",
			"Say where the REST API listens, here or by POSTERN_ADDRESS.")
	}
	if key == "" {
		resp.Diagnostics.AddAttributeError(path.Root("admin_key"), "No admin key",
			"Give an admin key, here or by POSTERN_ADMIN_KEY.")
	}
	if resp.Diagnostics.HasError() {
		return
	}
	client, err := newAPI(address, key, said.CAFile.ValueString())
	if err != nil {
		resp.Diagnostics.AddError("Cannot reach the service", err.Error())
		return
	}
	resp.ResourceData = client
}

func orVariable(said types.String, name string) string {
	if said.IsNull() {
		return os.Getenv(name)
	}
	return said.ValueString()
}

func (postern) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &ownerResource{} },
		func() resource.Resource { return &roleResource{} },
		func() resource.Resource { return &keyResource{} },
	}
}

func (postern) DataSources(context.Context) []func() datasource.DataSource { return nil }

// withAPI is what each resource is told of the provider.
type withAPI struct{ api *api }

func (w *withAPI) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	if client, ok := req.ProviderData.(*api); ok {
		w.api = client
	}
}
