terraform {
  required_providers {
    postern = { source = "postern-dev/postern" }
  }
}

# POSTERN_ADDRESS and POSTERN_ADMIN_KEY say where and as whom.
provider "postern" {}

# Read from Vault, say, by an ephemeral resource: what is ephemeral is in no plan and no state.
variable "billing_secret" {
  type      = string
  sensitive = true
  ephemeral = true
}

# Of a secret that somebody else makes: printf %s "$KEY" | sha256sum
variable "reporting_sha256" {
  type = string
}

resource "postern_owner" "acme" {
  id     = "acme"
  name   = "Acme Ltd"
  labels = { tier = "gold" }
}

resource "postern_role" "reader" {
  id          = "reader"
  description = "Reads all that there is"
  permissions = ["read:*"]
}

resource "postern_key" "billing" {
  name              = "Billing job"
  owner             = postern_owner.acme.id
  external_id       = "billing-job"
  roles             = [postern_role.reader.id]
  ip_allowlist      = ["203.0.113.0/24"]
  secret_wo         = var.billing_secret
  secret_wo_version = 1
}

resource "postern_key" "reporting" {
  name        = "Reporting"
  owner       = postern_owner.acme.id
  permissions = ["read:reports"]
  expires_at  = "2031-01-31T13:00:00+01:00"
  labels      = { team = "grid" }
  sha256      = var.reporting_sha256
}

output "billing_key" {
  value = postern_key.billing.id
}
